from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from playwatch.channels.pagerduty_event import (
    BODY_LIMIT,
    full_body,
    minimal_body,
    sendable_dedup_key,
)
from playwatch.core.deliveries import Action
from playwatch.core.incidents import Incident  # noqa: TC001 - read by hypothesis
from playwatch.core.rules import AlertType, Severity
from playwatch.demo.event_checks import event_in, problems
from tests.kit.channels import HOSTILE_INCIDENTS, KEY, a_delivery, an_incident, its_resolve


def sent(incident: Incident | None = None, client_url: str = "") -> Any:  # noqa: ANN401 - JSON
    return json.loads(full_body(a_delivery(incident), KEY, client_url))


def test_a_trigger_carries_everything_a_responder_needs() -> None:
    expected = {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "playwatch/a1b2c3d4e5f6",
        "payload": {
            "summary": (
                "Playback failure percentage 7.4 % (> 5) in country=DE, cdn=fastly:"
                " 74 of 1,000 views affected"
            ),
            "source": "country=DE,cdn=fastly",
            "severity": "critical",
            "timestamp": "2027-01-15T08:00:00.000Z",
            "class": "threshold",
            "component": "playback_failure_percentage",
            "group": "playback-failures",
            "custom_details": {
                "metric": "playback_failure_percentage",
                "rule": "playback-failures",
                "alert_type": "threshold",
                "dimensions": {"country": "DE", "cdn": "fastly"},
                "value": 7.4,
                "unit": "%",
                "bound": "> 5",
                "threshold": 5.0,
                "peak_value": 9.1,
                "views": 1000,
                "viewers_affected": 74,
                "window_s": 60.0,
                "started_at": "2027-01-15T08:00:00.000Z",
                "opened_at": "2027-01-15T08:02:00.000Z",
                "status": "open",
                "runbook": "https://example.com/runbooks/playback-failures",
                "incident_id": "a1b2c3d4e5f6",
            },
        },
        "client": "Playwatch",
        "client_url": "https://example.com/incidents/a1b2c3d4e5f6",
        "links": [
            {
                "href": "https://example.com/incidents/a1b2c3d4e5f6",
                "text": "Incident in Playwatch",
            },
            {"href": "https://example.com/runbooks/playback-failures", "text": "Runbook"},
        ],
    }

    assert expected == sent(client_url="https://example.com/incidents/a1b2c3d4e5f6")


def test_a_resolve_carries_the_payload_of_its_trigger_and_its_end() -> None:
    trigger = a_delivery()
    opened = json.loads(full_body(trigger, KEY))
    resolved = json.loads(full_body(its_resolve(trigger), KEY))
    details = resolved["payload"].pop("custom_details")
    opened["payload"].pop("custom_details")

    assert resolved["event_action"] == "resolve"
    assert resolved["dedup_key"] == opened["dedup_key"]
    assert resolved["payload"] == opened["payload"]
    assert details["resolved_at"] == "2027-01-15T08:10:00.000Z"
    assert details["reason"] == "recovered"
    assert details["value_on_close"] == 1.2


@pytest.mark.parametrize("severity", list(Severity))
def test_severities_are_pagerdutys(severity: Severity) -> None:
    assert sent(an_incident(severity=severity))["payload"]["severity"] == severity.name.lower()


def test_an_anomaly_tells_its_expected_band() -> None:
    anomaly = an_incident(alert_type=AlertType.ANOMALY, expected_low=0.5, expected_high=2.5)
    payload = sent(anomaly)["payload"]

    assert payload["class"] == "anomaly"
    assert payload["custom_details"]["expected_low"] == 0.5
    assert payload["custom_details"]["expected_high"] == 2.5


def test_the_rules_own_text_is_the_summary() -> None:
    assert sent(an_incident(summary="Failures\n7.4 % "))["payload"]["summary"] == "Failures 7.4 %"


def test_a_group_of_everything_has_the_rule_as_its_source() -> None:
    assert sent(an_incident(breakdowns=()))["payload"]["source"] == "playback-failures"
    assert sent(an_incident(breakdowns=(), rule=" "))["payload"]["source"] == "Playwatch"


def test_numbers_that_json_does_not_know_become_null() -> None:
    details = sent(an_incident(measured_value=math.nan, peak_value=math.inf))["payload"][
        "custom_details"
    ]

    assert details["value"] is None
    assert details["peak_value"] is None


@pytest.mark.parametrize("tail", ["e\u0301", "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "漢", "❤️"], ids=ascii)
@pytest.mark.parametrize("shift", range(8))
def test_a_long_summary_is_cut_between_characters_that_people_see(tail: str, shift: int) -> None:
    summary = sent(an_incident(summary="x" * shift + tail * 2000))["payload"]["summary"]

    assert len(summary) <= 1024
    assert summary.endswith("…")
    assert (len(summary) - 1 - shift) % len(tail) == 0


def test_a_runbook_that_is_no_link_is_left_out() -> None:
    for runbook in (
        "",
        "see the wiki",
        "javascript:alert(1)",
        "https://a b",
        "https://" + "x" * 9000,
    ):
        event = sent(an_incident(runbook=runbook))

        assert "links" not in event
        assert "runbook" not in event["payload"]["custom_details"]


def test_a_resolve_has_no_links_and_no_client() -> None:
    event = json.loads(full_body(its_resolve(a_delivery()), KEY, "https://example.com/"))

    assert not {"links", "client", "client_url"} & set(event)


def test_dimensions_that_do_not_fit_are_counted() -> None:
    many = tuple((f"dimension{number}", "v" * 1000) for number in range(5000))
    body = full_body(a_delivery(an_incident(breakdowns=many)), KEY)
    details = json.loads(body)["payload"]["custom_details"]

    assert len(body) <= BODY_LIMIT
    assert len(details["dimensions"]) + details["dimensions_left_out"] == 5000


def test_the_least_form_holds_what_pagerduty_insists_on() -> None:
    event = json.loads(minimal_body(a_delivery(), KEY))

    assert set(event) == {"routing_key", "event_action", "dedup_key", "payload"}
    assert set(event["payload"]) == {"summary", "source", "severity"}
    assert problems(event) == []


def test_a_dedup_key_that_pagerduty_would_refuse_is_replaced_by_its_digest() -> None:
    keys = set()
    for key in ("k" * 256, "k" * 257, "a\nb", "\ud800"):
        trigger = replace(a_delivery(), dedup_key=key)
        resolve = replace(trigger, action=Action.RESOLVE)

        assert sendable_dedup_key(trigger) == sendable_dedup_key(resolve)
        keys.add(sendable_dedup_key(trigger))

    assert len(keys) == 4
    assert all(len(key) <= 255 for key in keys)


def test_the_same_delivery_is_always_the_same_bytes() -> None:
    assert full_body(a_delivery(), KEY) == full_body(a_delivery(an_incident()), KEY)


@settings(max_examples=60, deadline=None)
@given(HOSTILE_INCIDENTS)
def test_every_incident_is_an_event_that_pagerduty_accepts(incident: Incident) -> None:
    for action in Action:
        delivery = a_delivery(incident, action)
        for body in (full_body(delivery, KEY), minimal_body(delivery, KEY)):
            event = event_in(body)

            assert event is not None
            assert problems(event) == []
            assert len(body) <= BODY_LIMIT
