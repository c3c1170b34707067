"""When findings become a page: strong evidence at once, weak evidence as it adds up.

For every group a `Decider` keeps a sum of how far its scores stay above
`REFERENCE`, never below 0 and capped. The greater of score and sum is what is
compared: its rarity among the pool's runs (`calibration.ChanceTail`) with the
level that keeps the budget. So one interval that chance brings once in a year
opens at once, and a nuisance that lasts opens when it has lasted long enough;
how dependent neighbouring intervals are does not matter, for the pool's runs
depend as much.

An incident ends after the score stayed below `CALM` for some intervals, more
after each re-opening. A breach within the merge gap of an end is the same
incident again. A group that could not be judged is held as it is.

How the engine uses it::

    decider = Decider(Budget(pages=1), step_s=60)
    decider.resize(groups)
    findings = detector.step(intervals, frozen=decider.is_open(intervals.group))
    calls = decider.decide(findings, excess=extra_failed_views)
    # calls.call: CLEAR, HOLD, BREACH as playwatch.core.verdicts.Verdict numbers them
    calls = decider.preview(detector.peek(intervals))    # an open interval; nothing is kept

References
----------
Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for
sequential change detection", New England J. Stat. Data Sci. (2023): sums that
start anew at 0 and what average run length they give.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch_models.calibration import PERFECT, ChanceTail
from playwatch_models.detector import Evidence
from playwatch_models.deviations import Deviations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from playwatch_models.calibration import Budget, Worth
    from playwatch_models.detector import Findings

__all__ = ["UNJUDGED", "Call", "Calls", "Decider"]

REFERENCE: Final = 2.0
"""Powers of ten that a score must exceed to add to the sum."""
DEPENDENT: Final = 10
"""Neighbouring scores look at the same past; so many of them count for one."""
LEAST_STRENGTH: Final = 3.5
"""Score below which nothing pages, however seldom the pool shows it."""
BEYOND: Final = 0.5
"""How far the sum may go beyond what opens, so that it ends soon when calm returns."""
CALM: Final = 1.0
CALM_INTERVALS: Final = 5
MOST_REOPENINGS: Final = 3
"""After so many the wait for calm grows no longer."""
MERGE_GAP_S: Final = 1800.0
MOST_PRESSURE: Final = 2.0
"""Powers of ten by which an overspent budget raises the level at most."""
JUDGED_KEEP: Final = 0.99
"""What an interval of fewer groups leaves of how many were judged."""
UNJUDGED: Final = (Evidence.FEW_VIEWS, Evidence.LEARNING, Evidence.OTHER_UNIT)


class Call(IntEnum):
    """What is decided of a group, numbered as the engine numbers its verdicts."""

    CLEAR = 0
    HOLD = 1
    BREACH = 2


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """What is decided of some groups, as columns of one length ``n``.

    Attributes
    ----------
    group, at
        As in the findings.
    call
        Values of `Call`, int8.
    rarity
        ``-log10`` of the chance that a run reaches as much in one interval; 0
        where nothing was judged.
    level
        The rarity that opens, one number for all.
    is_reopening
        True where a breach continues an incident that ended within the merge gap.
    affected
        Excess since the deviation began (extra failed views); 0 without one.
    since_at
        When the deviation began, milliseconds.
    """

    group: NDArray[np.int32]
    at: NDArray[np.int64]
    call: NDArray[np.int8]
    rarity: NDArray[np.float64]
    level: float
    is_reopening: NDArray[np.bool_]
    affected: NDArray[np.float64]
    since_at: NDArray[np.int64]

    def __len__(self) -> int:
        """Return how many groups were decided on."""
        return len(self.group)


class Decider:
    """Turns the findings of one detector into calls that keep a budget.

    Parameters
    ----------
    budget
        False pages over all groups together.
    step_s
        Length of an interval, seconds.
    min_affected
        Excess (extra failed views) below which nothing opens; only where an
        excess is given.
    merge_gap_s
        A breach this soon after an end is the same incident.
    worth
        What the detector's scores were worth elsewhere (`registry.WORTH`).

    Attributes
    ----------
    budget
        May be replaced, as where several deciders share one.

    Notes
    -----
    50 bytes a group; O(n) an interval, about 20 elementwise passes.
    """

    def __init__(
        self,
        budget: Budget,
        step_s: float,
        *,
        min_affected: float = 0.0,
        merge_gap_s: float = MERGE_GAP_S,
        worth: Worth = PERFECT,
    ) -> None:
        self.budget = budget
        self._step_s = step_s
        self._min_affected = min_affected
        self._merge_gap_ms = int(merge_gap_s * 1000)
        self._tail = ChanceTail(step_s, worth)
        self._judged = 0.0
        self._spent = 0.0
        self._round_at: int | None = None
        self._round = 0
        self._groups = Deviations.blank(0)

    def resize(self, groups: int) -> None:
        """Keep state for so many groups, never fewer than before."""
        larger = Deviations.blank(groups)
        larger.put(slice(0, len(self._groups)), self._groups)
        self._groups = larger

    def require(self, min_affected: float, merge_gap_s: float) -> None:
        """Go on with another gate and another merge gap."""
        self._min_affected = min_affected
        self._merge_gap_ms = int(merge_gap_s * 1000)

    def forget(self, group: NDArray[np.int32]) -> None:
        """Make some groups as new."""
        self._groups.put(group, Deviations.blank(len(group)))

    def is_open(self, group: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which groups are deviating: what a detector should not learn from."""
        is_open: NDArray[np.bool_] = self._groups.is_open[group]
        return is_open

    @property
    def level(self) -> float:
        """The rarity that opens: the budget's, more when it was overspent.

        Notes
        -----
        Twice the budget is spent without consequence, for real incidents cost
        too; what goes beyond makes the next page rarer in proportion.
        """
        pressure = np.log10(max(1.0, self._spent / (2 * self.budget.pages)))
        return self.budget.level(self._judged, self._step_s) + min(float(pressure), MOST_PRESSURE)

    def decide(self, findings: Findings, excess: NDArray[np.float64] | None = None) -> Calls:
        """Decide on closed intervals, and learn what chance does.

        Parameters
        ----------
        excess
            Extra failed views of each interval, shape ``(n,)``, or None.
        """
        return self._decide(findings, excess, keeps=True)

    def preview(self, findings: Findings, excess: NDArray[np.float64] | None = None) -> Calls:
        """Decide on intervals that are still open; nothing is learned or kept."""
        return self._decide(findings, excess, keeps=False)

    def spend(self, pages: int) -> None:
        """Count pages that went out for these groups (after causes were merged)."""
        self._spent += pages

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Return the whole state as named arrays, for a snapshot."""
        totals = np.array([self._judged, self._spent])
        return {**self._groups.columns(), **self._tail.columns(), "totals": totals}

    def restore(self, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Take a state back.

        Raises
        ------
        ValueError
            If the arrays are not those of a decider, or not finite.
        """
        totals = np.asarray(columns.get("totals", np.zeros(0)), np.float64)
        if totals.shape != (2,) or not np.isfinite(totals).all():
            message = "the column totals is not one of a decider"
            raise ValueError(message)
        groups = Deviations.restored(columns)
        self._tail.restore(columns)
        self._groups = groups
        self._judged, self._spent = totals.tolist()

    def _decide(
        self, findings: Findings, excess: NDArray[np.float64] | None, *, keeps: bool
    ) -> Calls:
        is_judged = ~np.isin(findings.evidence, UNJUDGED)
        if keeps:
            self._count(findings.at, int(is_judged.sum()))
        level = self.level
        score = np.where(is_judged, findings.score, 0.0)
        groups = self._groups.take(findings.group)
        most = self._tail.strength(level) + BEYOND
        added = np.clip(groups.total + (score - REFERENCE) / DEPENDENT, 0.0, most)
        groups.total = np.where(is_judged, added, groups.total)
        strength = np.maximum(score, groups.total)
        rarity = np.where(is_judged, self._tail.rarity(strength), 0.0)
        since_at = _impact(groups, findings, score, excess)

        is_enough = (groups.affected >= self._min_affected) | (excess is None)
        is_breach = is_judged & (rarity >= level) & (strength >= LEAST_STRENGTH) & is_enough
        groups.calm = np.where(score < CALM, groups.calm + is_judged, 0).astype(np.int32)
        patience = CALM_INTERVALS * (1 + np.minimum(groups.reopened, MOST_REOPENINGS))
        is_calm = is_judged & ~is_breach & (groups.calm >= np.where(groups.is_open, patience, 1))
        call = np.where(is_breach, Call.BREACH, np.where(is_calm, Call.CLEAR, Call.HOLD))
        opens = is_breach & ~groups.is_open
        is_reopening = opens & (findings.at - groups.ended_at <= self._merge_gap_ms)
        if keeps:
            ended = groups.peak[is_calm & (groups.peak > 0)]
            self._tail.learn(int(is_judged.sum()), ended)
            # Only what could have been a page tells how often chance pages.
            worthy = np.where(is_enough, strength, 0.0)
            groups.move(findings.at, worthy, opens, is_reopening, is_calm)
            self._groups.put(findings.group, groups)
        return Calls(
            group=findings.group,
            at=findings.at,
            call=call.astype(np.int8),
            rarity=rarity,
            level=level,
            is_reopening=is_reopening,
            affected=groups.affected,
            since_at=since_at,
        )

    def _count(self, at: NDArray[np.int64], judged: int) -> None:
        """Count how many groups an interval judges, however many calls it comes in.

        Notes
        -----
        Streams with clocks of their own close their intervals one after the other, up
        to once a second: all of them are chances of the same interval.
        """
        newest = int(at.max(initial=0))
        if self._round_at is None or newest > self._round_at:
            passed_s = self._step_s
            if self._round_at is not None:
                passed_s = max(passed_s, (newest - self._round_at) / 1000)
            self._spent *= float(np.exp(-passed_s / self.budget.per_s))
            self._judged *= JUDGED_KEEP
            self._round_at, self._round = newest, 0
        self._round += judged
        # A backlog brings many intervals of a group at once: one chance all the same.
        self._judged = max(self._judged, float(min(self._round, len(self._groups))))


def _impact(
    groups: Deviations,
    findings: Findings,
    score: NDArray[np.float64],
    excess: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    """Add up the excess of the present deviation; return since when it lasts."""
    deviates = (score >= CALM) | groups.is_open
    extra = np.zeros(len(score)) if excess is None else np.nan_to_num(excess)
    groups.affected = np.where(deviates, np.maximum(groups.affected + extra, 0), 0.0)
    began = np.where(groups.since_at > 0, groups.since_at, findings.since_at)
    groups.since_at = np.where(deviates, began, 0)
    since_at: NDArray[np.int64] = np.where(deviates, began, findings.at)
    return since_at
