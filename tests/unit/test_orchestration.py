"""The example orchestrations look only at what our events have, and at what never changes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from playwatch.channels.pagerduty_event import full_body
from playwatch.core.rules import AlertType, Severity
from tests.kit.channels import KEY, a_delivery, an_incident, its_resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident

FOLDER = Path(__file__).parents[2] / "config/pagerduty"
FILES = sorted(FOLDER.glob("*.json"))
PATH = re.compile(r"event(?:\.[a-z_]+)+")
# PagerDuty's condition language, as far as the examples use it.
CONDITION = re.compile(
    r"(?P<path>event[.a-z_]+) (?:(?P<how>matches(?: part)?) '(?P<text>[^']+)'|exists)"
)

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def event(delivery: Delivery) -> dict[str, Any]:
    """Return an event as PagerDuty's rules see it: the payload's fields."""
    body = json.loads(full_body(delivery, KEY))
    return dict(body["payload"])


def value(seen: dict[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what stands at a path; raises KeyError where nothing does."""
    found: Any = seen
    for name in path.split(".")[1:]:
        found = found[name]
    return found


def is_met(expression: str, seen: dict[str, Any]) -> bool:
    condition = CONDITION.fullmatch(expression)
    assert condition, f"not understood: {expression}"
    try:
        found = str(value(seen, condition["path"]))
    except KeyError:
        return False
    if condition["how"] is None:
        return True
    text = condition["text"]
    return text in found if condition["how"].endswith("part") else text == found


def rules_in(path: Path) -> Iterator[dict[str, Any]]:
    for one in json.loads(path.read_text())["orchestration_path"]["sets"]:
        yield from one["rules"]


def routed(incident: Incident) -> str:
    """Return the service that the router sends an incident to."""
    seen = event(a_delivery(incident))
    path = FOLDER / "event-orchestration.json"
    for rule in rules_in(path):
        if any(is_met(one["expression"], seen) for one in rule["conditions"]):
            return str(rule["actions"]["route_to"])
    last = json.loads(path.read_text())["orchestration_path"]["catch_all"]
    return str(last["actions"]["route_to"])


@each_file
def test_every_path_exists_in_an_event(path: Path) -> None:
    paths = set(PATH.findall(path.read_text()))
    trigger, resolve = (event(one) for one in (a_delivery(), its_resolve(a_delivery())))

    assert paths
    for one in paths:
        assert value(trigger, one) == value(resolve, one)


@each_file
def test_no_path_changes_when_an_incident_rises(path: Path) -> None:
    calm = an_incident(severity=Severity.WARNING)
    worse = replace(
        calm, severity=Severity.CRITICAL, threshold=9.0, bound="> 9", sample_size=1, peak_value=99.0
    )
    before, after = (event(a_delivery(one)) for one in (calm, worse))

    for one in PATH.findall(path.read_text()):
        assert value(before, one) == value(after, one)


@each_file
def test_every_condition_is_understood(path: Path) -> None:
    for rule in rules_in(path):
        for condition in rule["conditions"]:
            assert CONDITION.fullmatch(condition["expression"])


@pytest.mark.parametrize(
    ("incident", "service"),
    [
        (an_incident(), "CDN_SERVICE_ID"),
        (an_incident(breakdowns=(("cdn", "akamai"),)), "CDN_SERVICE_ID"),
        (an_incident(breakdowns=()), "VIDEO_SERVICE_ID"),
        (an_incident(breakdowns=(), alert_type=AlertType.ANOMALY), "TRIAGE_SERVICE_ID"),
        (an_incident(alert_type=AlertType.ENGINE), "PLATFORM_SERVICE_ID"),
        (
            an_incident(breakdowns=(), measurement="video_startup_time", rule="x"),
            "VIDEO_SERVICE_ID",
        ),
        (an_incident(breakdowns=(), measurement="drm", rule="drm"), "VIDEO_SERVICE_ID"),
    ],
)
def test_incidents_reach_their_service(incident: Incident, service: str) -> None:
    assert routed(incident) == service


def test_a_test_of_a_channel_wakes_nobody() -> None:
    seen = event(a_delivery(an_incident(rule="channel-test")))
    (first, *_) = rules_in(FOLDER / "service-orchestration.json")

    assert is_met(first["conditions"][0]["expression"], seen)
    assert first["actions"] == {"suppress": True}
