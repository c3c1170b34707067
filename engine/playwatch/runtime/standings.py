"""Standings: how a rule and each of its groups stand, whatever kind of rule it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.groups import NO_GROUP
from playwatch.core.learned import LearnedWatch
from playwatch.core.metrics import Worse
from playwatch.core.phases import Phase
from playwatch.core.series import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from playwatch.core.incidents import Incident
    from playwatch.core.rules import Rule
    from playwatch.core.watching import AnyWatch

Group = tuple[tuple[str, str], ...]
"""Dimension and value, in the order of the rule's ``by``."""


@dataclass(frozen=True, slots=True)
class GroupReading:
    """How one group stands.

    Attributes
    ----------
    value
        What the rule last saw; NaN without data or with too few views.
    margin
        How far the value is from the nearest bound, in the metric's unit:
        negative beyond it; NaN where either is unknown.
    low, high
        The learned band; NaN for a threshold.
    """

    group: Group
    phase: Phase
    value: float
    margin: float
    incident: Incident | None = None
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class RuleReading:
    """How one rule stands.

    Attributes
    ----------
    phases
        How many groups are in each phase.
    nearest
        The group that is nearest to its bound, or furthest beyond; None
        without any value.
    """

    rule: Rule
    unit: str
    groups: int
    phases: dict[Phase, int]
    nearest: GroupReading | None
    is_busy: bool = field(default=False)


def margins(watch: AnyWatch, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far the values of all groups are from their bound; negative beyond it."""
    wide = values.astype(np.float64)
    if isinstance(watch, LearnedWatch):
        count = len(values)
        if watch.metric.worse is Worse.HIGH:
            return watch.facts.high[:count] - wide
        return wide - watch.facts.low[:count]
    limit = watch.condition.tiers[0].limit
    return limit - wide if watch.condition.comparison.is_upward else wide - limit


def band(watch: AnyWatch, row: int) -> tuple[float, float]:
    """Return the learned band of a group; NaN for a threshold."""
    if not isinstance(watch, LearnedWatch):
        return math.nan, math.nan
    return float(watch.facts.low[row]), float(watch.facts.high[row])


def row_of(watch: AnyWatch, group: Group) -> int | None:
    """Return the row of a group; None when the rule has no such group."""
    if isinstance(watch, LearnedWatch):
        row = watch.groups.find(group)
        return None if row == NO_GROUP else row
    return watch.groups.row_of(tuple(value for _, value in group))


def states_of(watches: Iterable[AnyWatch]) -> list[tuple[str, str, int]]:
    """Return how many groups of each rule are in which phase. O(groups)."""
    found = []
    for watch in watches:
        counts = np.bincount(watch.phases.phase[watch.groups.live], minlength=len(Phase))
        found += [(watch.rule.name, phase.name.lower(), int(counts[phase])) for phase in Phase]
    return found


def ages_of(watches: Iterable[AnyWatch], now_at: int) -> list[tuple[str, float]]:
    """Return for how many seconds each learned rule has been learning, 0 before it began."""
    found = []
    for watch in watches:
        if isinstance(watch, LearnedWatch):
            first = watch.facts.first_at[: len(watch.groups)]
            began_at = int(first[first != NEVER].min(initial=now_at))
            found.append((watch.rule.name, max(now_at - began_at, 0) / 1000))
    return found
