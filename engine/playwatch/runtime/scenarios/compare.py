"""Holds what was expected against what came, side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.config.quantities import format_duration
from playwatch.runtime.scenarios.story import group_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from playwatch.config.document import Path
    from playwatch.config.scenarios.schema import ExpectedIncident, ExpectedPage, Scenario
    from playwatch.core.incidents import Incident
    from playwatch.runtime.scenarios.play import Page, Played

_NOTHING: Final = "nothing"
_CLOSE: Final = 1e-6
"""How far two numbers may lie apart, of the greater one."""

Facts = dict[str, object]
"""What can be compared, by the name that expectations use."""


@dataclass(frozen=True, slots=True)
class Row:
    """One expectation beside what was found for it; either may be "nothing"."""

    expected: str
    got: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One check that failed.

    Attributes
    ----------
    path
        Where the check stands in the file.
    what
        What was looked at, and when.
    """

    path: Path
    what: str
    rows: tuple[Row, ...]


def mismatches(scenario: Scenario, played: Played, path: Path) -> list[Mismatch]:
    """Return the checks of a test that what came does not meet.

    Parameters
    ----------
    path
        Where the test stands in its file.
    """
    found = []
    for number, check in enumerate(scenario.alert_rule_test):
        at_ms = round(check.eval_time * 1000)
        wanted = check.exp_incidents
        has_ended = any(one.status != "open" for one in wanted)
        there = [
            incident
            for incident in played.incidents[at_ms]
            if incident.rule == check.rule and (incident.is_open or has_ended)
        ]
        rows = _side_by_side(
            [_wish_of_incident(one) for one in wanted],
            [incident_facts(incident, played.start) for incident in there],
            _INCIDENT_KEYS,
        )
        if not all(row.is_met for row in rows):
            what = f"incidents of {check.rule} at {format_duration(check.eval_time)}"
            found.append(Mismatch((*path, "alert_rule_test", number), what, rows))
    if scenario.exp_pages is not None:
        rows = _side_by_side(
            [_wish_of_page(one) for one in scenario.exp_pages],
            [page_facts(page) for page in played.pages],
            _PAGE_KEYS,
        )
        if not all(row.is_met for row in rows):
            what = f"pages in {format_duration(played.end_ms / 1000)}"
            found.append(Mismatch((*path, "exp_pages"), what, rows))
    return found


_INCIDENT_KEYS: Final = ("dimensions", "status", "severity", "value", "opened")
_PAGE_KEYS: Final = ("at", "action", "severity", "rule", "dimensions", "channel")
"""What is shown of something that nobody expected."""


def incident_facts(incident: Incident, start: int) -> Facts:
    """Return what can be expected of an incident; times are seconds since the start."""

    def since(at: int | None) -> float | None:
        return None if at is None else (at - start) / 1000

    return {
        "dimensions": dict(incident.breakdowns),
        "status": incident.status.value,
        "severity": incident.severity.word,
        "value": incident.measured_value,
        "peak": incident.peak_value,
        "bound": incident.bound,
        "views": incident.sample_size,
        "affected": incident.affected_viewers,
        "flaps": incident.flaps,
        "started": since(incident.started_at),
        "opened": since(incident.opened_at),
        "resolved": since(incident.resolved_at),
        "ended": since(incident.ended_at),
        "summary": incident.summary,
        "reason": incident.reason,
    }


def page_facts(page: Page) -> Facts:
    """Return what can be expected of a page."""
    incident = page.delivery.incident
    return {
        "at": page.at_ms / 1000,
        "action": page.delivery.action.value,
        "severity": incident.severity.word,
        "rule": incident.rule,
        "dimensions": dict(incident.breakdowns),
        "channel": page.delivery.channel,
    }


def _wish_of_incident(expected: ExpectedIncident) -> Facts:
    wish = {name: value for name, value in expected if value is not None and name != "labels"}
    return wish if expected.group is None else {**wish, "dimensions": expected.group}


def _wish_of_page(expected: ExpectedPage) -> Facts:
    return {name: value for name, value in expected if value is not None}


def _side_by_side(
    wishes: Sequence[Facts], facts: Sequence[Facts], shown: Collection[str]
) -> tuple[Row, ...]:
    """Pair wishes with facts: first those that are met, then what is nearest."""
    met = _matching(wishes, facts)
    left = [number for number in range(len(facts)) if number not in met.values()]
    pairs: dict[int, int | None] = {}
    for number, wish in enumerate(wishes):
        if number in met:
            pairs[number] = met[number]
        else:
            nearest = max(left, key=lambda one: _likeness(wish, facts[one]), default=None)
            pairs[number] = nearest
            if nearest is not None:
                left.remove(nearest)
    rows = [
        Row(
            _text(wish, wish),
            _NOTHING if (pair := pairs[number]) is None else _text(facts[pair], wish),
            is_met=number in met,
        )
        for number, wish in enumerate(wishes)
    ]
    return (*rows, *(Row(_NOTHING, _text(facts[one], shown), is_met=False) for one in left))


def _matching(wishes: Sequence[Facts], facts: Sequence[Facts]) -> dict[int, int]:
    """Return a greatest matching of wishes with facts that meet them."""
    owner: dict[int, int] = {}

    def find(wish: int, tried: set[int]) -> bool:
        for fact in range(len(facts)):
            if fact not in tried and _meets(wishes[wish], facts[fact]):
                tried.add(fact)
                if fact not in owner or find(owner[fact], tried):
                    owner[fact] = wish
                    return True
        return False

    for wish in range(len(wishes)):
        find(wish, set())
    return {wish: fact for fact, wish in owner.items()}


def _meets(wish: Facts, facts: Facts) -> bool:
    return all(_is_same(value, facts[name]) for name, value in wish.items())


def _likeness(wish: Facts, facts: Facts) -> tuple[bool, int]:
    """Return how near facts come to a wish: its group first."""
    same = sum(_is_same(value, facts[name]) for name, value in wish.items())
    return wish.get("dimensions") == facts["dimensions"], same


def _is_same(wanted: object, found: object) -> bool:
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return math.isclose(wanted, found, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return wanted == found


def _text(facts: Facts, names: Collection[str]) -> str:
    """Return some facts as people read them, in the order of all facts."""
    parts = [_WORDS.get(name, _plain)(name, facts[name]) for name in _ORDER if name in names]
    return " ".join(part for part in parts if part)


def _plain(name: str, value: object) -> str:
    del name
    return str(value)


def _named(name: str, value: object) -> str:
    if isinstance(value, float):
        return f"{name} none" if math.isnan(value) else f"{name} {value:.6g}"
    return f"{name} {value}"


def _when(name: str, value: object) -> str:
    if not isinstance(value, int | float):
        return f"not {name}"
    shown = format_duration(value) if value >= 0 else f"-{format_duration(-value)}"
    return f"{name} {shown}"


def _group(name: str, value: object) -> str:
    del name
    return group_text(value) if isinstance(value, dict) else ""


_WORDS: Final[Mapping[str, Callable[[str, object], str]]] = {
    "dimensions": _group,
    **dict.fromkeys(("at", "started", "opened", "resolved", "ended"), _when),
    **dict.fromkeys(("value", "peak", "views", "affected", "flaps"), _named),
    "channel": lambda _, value: f"to {value}",
    "summary": lambda _, value: f"'{value}'",
    "reason": lambda _, value: f"'{value}'",
}
_ORDER: Final = (
    "at", "action", "rule", "dimensions", "status", "severity", "value", "peak", "bound",
    "views", "affected", "flaps", "started", "opened", "resolved", "ended", "summary",
    "reason", "channel",
)  # fmt: skip
