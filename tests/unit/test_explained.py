"""Why an anomaly is one, in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from playwatch.channels.pagerduty_event import full_body
from playwatch.core.explained import explained
from playwatch.core.incidents import Cause
from playwatch.core.rules import AlertType
from playwatch.core.summary import rarity, summarise
from tests.kit.stores import T0, a_delivery, an_incident

ANOMALY = replace(
    an_incident(),
    alert_type=AlertType.ANOMALY,
    unit="%",
    measured_value=8.25,
    bound="normal is 0.4 to 1.6 %",
    expected=1.0,
    expected_low=0.4,
    expected_high=1.6,
    evidence="burst",
    once_in_weeks=14.2,
    causes=(Cause(0.83, (("cdn", "fastly"), ("country", "DE"))),),
    affected_viewers=145,
    started_at=T0,
    opened_at=T0 + 360_000,
)


def test_a_threshold_has_nothing_to_explain() -> None:
    assert explained(an_incident()) == {}


def test_an_anomaly_says_what_was_normal_what_speaks_for_it_and_how_rare_it_is() -> None:
    assert explained(ANOMALY) == {
        "expected": "1 %, 0.4 to 1.6 %",
        "evidence": "more than chance explains, over a few intervals",
        "rarity": "about once in 14 weeks",
        "cause": "83 % of it in cdn=fastly, country=DE",
        "hit": "145 views, 1,450 an hour",
    }


def test_its_summary_names_the_cause() -> None:
    assert summarise(ANOMALY).endswith("145 views affected, 83 % of it in cdn=fastly, country=DE")


def test_pagerduty_is_told_all_of_it() -> None:
    event = json.loads(full_body(a_delivery(ANOMALY), "k" * 32))
    payload, details = event["payload"], event["payload"]["custom_details"]

    assert payload["class"] == "anomaly"
    assert details["cause"] == "83 % of it in cdn=fastly, country=DE"
    assert details["rarity"] == "about once in 14 weeks"
    assert (details["expected_low"], details["expected_high"]) == (0.4, 1.6)


def test_over_the_whole_incident_the_rate_is_of_the_whole() -> None:
    over = replace(ANOMALY, affected_views=2_000, resolved_at=T0 + 3_600_000)

    assert explained(over)["hit"] == "2,000 views, 2,000 an hour"
    assert over.affected_per_hour_on_open == pytest.approx(1450)


@pytest.mark.parametrize(
    ("weeks", "words"),
    [
        (0.01, "more than once a day"),
        (0.25, "about 4 times a week"),
        (1.0, "about once a week"),
        (14.3, "about once in 14 weeks"),
        (60.0, "about once a year"),
        (200.0, "about once in 4 years"),
        (1e9, "less than once in 100 years"),
    ],
)
def test_rarity_is_told_in_the_unit_that_people_count_in(weeks: float, words: str) -> None:
    assert rarity(weeks) == words
