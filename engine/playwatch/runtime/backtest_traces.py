"""Traces: what the rules saw over time, thinned out so that a year fits a chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.lattice import Lattice
from playwatch.core.learned import LearnedWatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.pipeline import Pipeline, Step
    from playwatch.core.samples import Instant
    from playwatch.core.watching import AnyWatch

    Group = tuple[tuple[str, str], ...]
    Points = list[tuple[int, float]]
    Banded = list[tuple[int, tuple[float, float, float]]]

POINTS: Final = 1_500
"""Evenly spaced points of a group; beyond it every second one is dropped."""
FINE: Final = 6_000
"""The same for points while something is going on."""
BANDED: Final = 1_000
"""Groups of a learned rule of which what was normal is kept beside their values."""
_FIRST_MS: Final = 1_000


@dataclass(slots=True)
class _Stay:
    """The time that a group had a row, milliseconds; a learned rule gives rows to others."""

    row: int
    from_at: int
    until_at: int | None = None

    def has(self, at: int) -> bool:
        return self.from_at <= at and (self.until_at is None or at < self.until_at)


class Traces:
    """Keeps the windowed values of every group, densely where something goes on.

    Notes
    -----
    Values are looked at after a step, at most once a second at first and less
    often as the data grows; groups that are not normal at every such moment,
    so that no peak of an incident is lost.
    """

    def __init__(self) -> None:
        self._even: dict[str, _Grid] = {}
        self._fine: dict[tuple[str, Group], Points] = {}
        self._fine_step_ms: dict[tuple[str, Group], int] = {}
        self._bands: dict[str, _Grid] = {}
        self._fine_bands: dict[tuple[str, Group], Banded] = {}
        self._holders: dict[str, list[Group]] = {}
        self._moved_in: dict[str, int] = {}
        self._stays: dict[tuple[str, Group], list[_Stay]] = {}

    def look(self, pipeline: Pipeline, now: Instant, step: Step) -> None:
        """Note the values at an instant."""
        has_changed = {incident.rule for _, incident in step.turns}
        for watch in pipeline.watches:
            grid = self._even.setdefault(watch.rule.name, _Grid())
            is_due = grid.is_due(now.at)
            is_quiet = watch.phases.is_idle and watch.rule.name not in has_changed
            if not is_due and is_quiet:
                continue
            if is_due and len(watch.groups):
                every = np.arange(len(watch.groups), dtype=np.int32)
                grid.add(now.at, watch.values(every, now.monotonic_ms))
                if isinstance(watch, LearnedWatch):
                    bands = self._bands.setdefault(watch.rule.name, _Grid())
                    bands.add(now.at, _normal(watch, every[:BANDED]))
                self._remember(watch, now.at)
            if not is_quiet:
                self._look_closely(watch, now)

    def points(self, rule: str, group: Group) -> tuple[list[int], list[float]]:
        """Return times and values of a group; NaN where it has none."""
        merged = {
            at: float(values[stay.row])
            for stay in self._stays.get((rule, group), ())
            for at, values in self._even[rule].during(stay)
        }
        merged.update(self._fine.get((rule, group), ()))
        times = sorted(merged)
        return times, [merged[at] for at in times]

    def normal(self, rule: str, group: Group) -> list[tuple[int, list[float]]]:
        """Return times, and what was expected, low and high of a learned group as last judged."""
        if rule not in self._bands:
            return []
        merged = {
            at: values[:, stay.row].tolist()
            for stay in self._stays.get((rule, group), ())
            for at, values in self._bands[rule].during(stay)
        }
        merged.update((at, list(known)) for at, known in self._fine_bands.get((rule, group), ()))
        return sorted(merged.items())

    def _look_closely(self, watch: AnyWatch, now: Instant) -> None:
        active = watch.phases.active()
        values = watch.values(active, now.monotonic_ms).tolist()
        self._remember(watch, now.at)
        for row, value in zip(active.tolist(), values, strict=True):
            key = (watch.rule.name, watch.groups.breakdowns(row))
            points = self._fine.setdefault(key, [])
            step_ms = self._fine_step_ms.setdefault(key, _FIRST_MS)
            if points and now.at - points[-1][0] < step_ms:
                continue
            points.append((now.at, value))
            bands = self._fine_bands.setdefault(key, [])
            if isinstance(watch, LearnedWatch):
                bands.append((now.at, _normal_of(watch, row)))
            if len(points) > FINE:
                del points[1::2], bands[1::2]
                self._fine_step_ms[key] = 2 * step_ms

    def _remember(self, watch: AnyWatch, at: int) -> None:
        """Note which group has which row from now on."""
        name, groups = watch.rule.name, watch.groups
        holders = self._holders.setdefault(name, [])
        moved_in = groups.moved_in if isinstance(groups, Lattice) else 0
        first = len(holders) if moved_in == self._moved_in.get(name, 0) else 0
        self._moved_in[name] = moved_in
        for row in range(first, len(groups)):
            group = groups.breakdowns(row)
            if row == len(holders):
                holders.append(group)
            elif holders[row] == group:
                continue
            else:
                self._stays[name, holders[row]][-1].until_at = at
                holders[row] = group
            self._stays.setdefault((name, group), []).append(_Stay(row, at))


def _normal(watch: LearnedWatch, rows: NDArray[np.int32]) -> NDArray[np.float32]:
    facts = watch.facts
    return np.stack([facts.expected[rows], facts.low[rows], facts.high[rows]])


def _normal_of(watch: LearnedWatch, row: int) -> tuple[float, float, float]:
    facts = watch.facts
    return float(facts.expected[row]), float(facts.low[row]), float(facts.high[row])


class _Grid:
    """Evenly spaced values of all groups of one rule."""

    def __init__(self) -> None:
        self._step_ms = _FIRST_MS
        self._points: list[tuple[int, NDArray[np.floating]]] = []

    def is_due(self, at: int) -> bool:
        """Return whether another point is wanted."""
        return not self._points or at - self._points[-1][0] >= self._step_ms

    def add(self, at: int, values: NDArray[np.floating]) -> None:
        """Add the values of all groups, in the last axis."""
        self._points.append((at, values))
        if len(self._points) > POINTS:
            del self._points[1::2]
            self._step_ms *= 2

    def during(self, stay: _Stay) -> list[tuple[int, NDArray[np.floating]]]:
        """Return the points of the time that a group had its row, with the values of all."""
        return [
            (at, values)
            for at, values in self._points
            if stay.row < values.shape[-1] and stay.has(at)
        ]
