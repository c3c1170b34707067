"""The story of a run: which group moved when, and what was sent about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from playwatch.config.quantities import format_duration
from playwatch.core.incidents import Change
from playwatch.core.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from playwatch.core.incidents import Incident
    from playwatch.core.pipeline import Pipeline, Step
    from playwatch.core.watching import AnyWatch


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the story.

    Attributes
    ----------
    at_ms
        Since the start of the test.
    who
        The rule with its group; empty when it is about all of them.
    """

    at_ms: int
    who: str
    what: str


class Story:
    """Writes down what the steps of a pipeline did.

    Parameters
    ----------
    start
        Wall clock of the start, milliseconds.
    """

    def __init__(self, start: int) -> None:
        self.events: list[Event] = []
        self._start = start
        self._phases: dict[tuple[str, str], NDArray[np.int8]] = {}

    def tell(self, at_ms: int, what: str) -> None:
        """Add a line about the engine itself."""
        self.events.append(Event(at_ms, "", what))

    def observe(self, at_ms: int, pipeline: Pipeline, step: Step) -> None:
        """Add what one step did; call it after each."""
        ended = {
            (incident.rule, incident.breakdowns): (change, incident)
            for change, incident in step.turns
        }
        for watch in pipeline.watches:
            for row, before, after in self._moves(watch):
                breakdowns = watch.groups.breakdowns(row)
                turn = ended.get((watch.rule.name, breakdowns))
                what = f"{before.name} => {after.name}  {_value(watch, row, at_ms)}"
                words = _words(*turn) if turn else ""
                self._add(at_ms, watch.rule.name, breakdowns, f"{what}{words}")
        for change, incident in step.turns:
            if change in {Change.ROSE, Change.CLOSED, Change.FLAPPED, Change.CORRECTED}:
                what = f"{change.value}{_words(change, incident)}"
                self._add(at_ms, incident.rule, incident.breakdowns, what)
        for delivery in step.changes.deliveries:
            incident = delivery.incident
            what = f"{delivery.action.value} {incident.severity.word} to {delivery.channel}"
            self._add(at_ms, incident.rule, incident.breakdowns, what)
        for decision in step.changes.decisions:
            if decision.what == "withheld":
                self.tell(at_ms, f"trigger withheld: {decision.reason}")

    def _add(
        self, at_ms: int, rule: str, breakdowns: tuple[tuple[str, str], ...], what: str
    ) -> None:
        self.events.append(Event(at_ms, f"{rule} {group_text(dict(breakdowns))}", what.rstrip()))

    def _moves(self, watch: AnyWatch) -> Iterator[tuple[int, Phase, Phase]]:
        """Iterate over the groups that changed their phase since the last look."""
        key = (watch.rule.name, watch.rule.scope)
        count = len(watch.groups)
        now = watch.phases.phase[:count]
        before = self._phases.get(key)
        if before is None or len(before) != count:
            known = before if before is not None else np.zeros(0, np.int8)
            before = np.zeros(count, np.int8)
            before[: len(known)] = known[:count]
        changed = np.flatnonzero(before != now)
        if len(changed) or self._phases.get(key) is not before:
            self._phases[key] = now.copy()
        for row in map(int, changed):
            yield row, Phase(before[row]), Phase(now[row])


def group_text(breakdowns: Mapping[str, str]) -> str:
    """Return a group as people read it: ``{cdn=fastly}``."""
    inside = ", ".join(f"{name}={value or '(none)'}" for name, value in breakdowns.items())
    return f"{{{inside}}}"


def _value(watch: AnyWatch, row: int, at_ms: int) -> str:
    """Return the value of a group now, with its unit."""
    value = float(watch.values(np.array([row], np.int32), at_ms)[0])
    return "no value" if np.isnan(value) else f"{value:.4g} {watch.metric.unit}".rstrip()


def _words(change: Change, incident: Incident) -> str:
    """Return what a change means to people."""
    if change is Change.OPENED:
        held = format_duration((incident.opened_at - incident.started_at) / 1000)
        return f": {incident.severity.word}, {incident.bound}, {held} after the crossing"
    if change is Change.ROSE:
        return f": {incident.severity.word}, {incident.bound}"
    if change is Change.FLAPPED:
        return f": {incident.flaps}"
    if change is Change.CORRECTED:
        return f": {incident.words_on(change)}"
    return f": {incident.reason}" if incident.reason else ""
