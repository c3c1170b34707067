"""The life of an incident, as a table.

Every group of every rule is in one of four phases. Each verdict, with whether
its duration has passed (*held*), is one of eight symbols, and the next phase is
one look-up. So a hundred thousand groups step at once, and only those whose
incident begins, rises or ends become Python objects.

====================  =======  =======  ========  ========
verdict               NORMAL   PENDING  OPEN      CLEARING
====================  =======  =======  ========  ========
clear                 NORMAL   NORMAL   CLEARING  CLEARING
clear, held           NORMAL   NORMAL   NORMAL    NORMAL
hold                  NORMAL   NORMAL   OPEN      OPEN
hold, held            NORMAL   NORMAL   NORMAL    NORMAL
breach                PENDING  PENDING  OPEN      OPEN
breach, held          OPEN     OPEN     OPEN      OPEN
absent                NORMAL   PENDING  OPEN      CLEARING
absent, held          NORMAL   NORMAL   NORMAL    NORMAL
====================  =======  =======  ========  ========

*Held* means: for a breach, that ``for`` has passed since the crossing; for a
clear, that ``resolve_for`` has; for hold and absent, that an open incident has
had neither breach nor clear for ``expire_after``. A pending group forgives
silence for one window beyond the one that is empty: a collector that reports
once a minute into a window of a minute leaves it empty for a moment each time,
and must not start ``for`` anew.

Tiers do not have phases of their own. For each tier there is the time since
which the metric has been at least that bad; an incident opens at the highest
tier that has held for ``for``, and rises when a higher one has. It never falls:
severity tells how bad it got.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from playwatch.core.incidents import Change
from playwatch.core.series import NEVER, grown
from playwatch.core.verdicts import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.rules import Rule
    from playwatch.core.verdicts import VerdictBatch


class Phase(IntEnum):
    """Where a group stands."""

    NORMAL = 0
    PENDING = 1
    OPEN = 2
    CLEARING = 3


_N, _P, _O, _C = Phase

# Rows: phase. Columns: clear, hold, breach, absent, each without and with held.
TABLE: Final = np.array(
    [
        [_N, _N, _N, _N, _P, _O, _N, _N],
        [_N, _N, _N, _N, _P, _O, _P, _N],
        [_C, _N, _O, _N, _O, _O, _O, _N],
        [_C, _N, _O, _N, _O, _O, _C, _N],
    ],
    np.int8,
)


@dataclass(frozen=True, slots=True)
class Transition:
    """One incident that begins, rises or ends.

    Attributes
    ----------
    since_at
        When the metric crossed: into the tier, or back.
    at
        When that had held for long enough.
    value, views
        The verdict's numbers at that moment; ``value`` is NaN without data.
    peak
        The worst value while the incident was open.
    """

    change: Change
    group: int
    at: int
    since_at: int
    tier: int
    value: float
    views: float
    peak: float


class LifecycleState:
    """The phase of every group of one rule, and since when.

    Parameters
    ----------
    rule
        Gives the durations.
    tiers
        How many severities the rule tells apart.
    is_upward
        True when greater values are worse.

    Notes
    -----
    34 bytes a group with one tier. A step is O(n) for n verdicts.
    """

    COLUMNS: ClassVar = ("phase", "tier", "over_since", "clear_since", "seen_at", "peak")

    def __init__(self, rule: Rule, tiers: int, *, is_upward: bool) -> None:
        self._for_ms = round(rule.for_s * 1000)
        self._resolve_ms = round(rule.resolve_for_s * 1000)
        self._expire_ms = round(rule.expire_after_s * 1000)
        self._patience_ms = round(rule.window_s * 1000)
        self._worse = np.fmax if is_upward else np.fmin
        self.phase: NDArray[np.int8] = np.zeros(0, np.int8)
        self.tier: NDArray[np.int8] = np.zeros(0, np.int8)
        self.over_since: NDArray[np.int64] = np.zeros((0, tiers), np.int64)
        self.clear_since: NDArray[np.int64] = np.zeros(0, np.int64)
        self.seen_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.peak: NDArray[np.float64] = np.zeros(0)

    def reserve(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups <= len(self.phase):
            return
        capacity = max(groups, 2 * len(self.phase), 64)
        self.phase = grown(self.phase, capacity, Phase.NORMAL)
        self.tier = grown(self.tier, capacity, -1)
        self.over_since = grown(self.over_since, capacity, NEVER)
        self.clear_since = grown(self.clear_since, capacity, NEVER)
        self.seen_at = grown(self.seen_at, capacity, NEVER)
        self.peak = grown(self.peak, capacity, np.nan)

    def active(self) -> NDArray[np.int32]:
        """Return the groups that time alone can move: all but the normal ones."""
        return np.flatnonzero(self.phase != Phase.NORMAL).astype(np.int32)

    def reopen(self, group: int, tier: int, peak: float, seen_at: int) -> None:
        """Put a group into OPEN, where the store says that it is."""
        if not self.is_open(group):
            self.phase[group] = Phase.OPEN
            self.clear_since[group] = NEVER
            self.seen_at[group] = seen_at
        self.tier[group] = tier
        self.peak[group] = self._worse(self.peak[group], peak)

    def is_open(self, group: int) -> bool:
        """Return whether a group has an incident."""
        return bool(self.phase[group] >= Phase.OPEN)

    def begin_anew(self) -> None:
        """Put pending groups into NORMAL: nobody knows whether their condition held."""
        pending = np.flatnonzero(self.phase == Phase.PENDING)
        self.phase[pending] = Phase.NORMAL
        self.over_since[pending] = NEVER

    def settle(self, group: int) -> None:
        """Put a group into NORMAL, where the store knows of no incident."""
        self.phase[group] = Phase.NORMAL
        self.tier[group] = -1
        self.over_since[group] = NEVER
        self.clear_since[group] = NEVER
        self.peak[group] = np.nan

    def step(self, verdicts: VerdictBatch) -> list[Transition]:
        """Move the judged groups on and return the incidents that changed."""
        group, at = verdicts.group, verdicts.at
        phase = self.phase[group]
        symbol, over, clear = self._symbols(verdicts, phase)
        after = TABLE[phase, symbol]
        # Silence forgives a tier its time, but only a breach can reach it.
        is_breach = verdicts.verdict == Verdict.BREACH
        reached = np.where(is_breach, self._reached_tier(over, at), np.int8(-1))
        tier = self.tier[group]
        was_open = phase >= Phase.OPEN
        is_open = after >= Phase.OPEN
        opens = ~was_open & is_open
        rises = was_open & (after == Phase.OPEN) & (reached > tier)
        ends = was_open & ~is_open
        # A value of too few views is no peak.
        counts = is_breach | (verdicts.verdict == Verdict.CLEAR)
        value = np.where(counts, verdicts.value, np.nan)
        peak = np.where(opens, value, self._worse(self.peak[group], value))
        transitions = [
            self._transition(verdicts, i, change, reached, over, clear, peak)
            for change, rows in (
                (Change.OPENED, opens),
                (Change.ROSE, rises),
                (Change.RESOLVED, ends & (verdicts.verdict == Verdict.CLEAR)),
                (Change.EXPIRED, ends & (verdicts.verdict != Verdict.CLEAR)),
            )
            for i in map(int, np.flatnonzero(rows))
        ]
        self.phase[group] = after
        self.tier[group] = np.where(is_open, np.maximum(tier, reached), -1)
        self.tier[group[opens]] = reached[opens]
        self.over_since[group] = np.where((after == Phase.NORMAL)[:, None], NEVER, over)
        self.clear_since[group] = np.where(after == Phase.CLEARING, clear, NEVER)
        self.peak[group] = np.where(is_open, peak, np.nan)
        return transitions

    def _symbols(
        self, verdicts: VerdictBatch, phase: NDArray[np.int8]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
        """Return each verdict's column of the table, and since when it has been so."""
        group, at, verdict = verdicts.group, verdicts.at, verdicts.verdict
        is_seen = (verdict == Verdict.BREACH) | (verdict == Verdict.CLEAR)
        # The clock may have stepped back; a group was not seen in its future.
        seen_at = np.where(is_seen, at, np.minimum(self.seen_at[group], at))
        self.seen_at[group] = seen_at
        quiet_ms = np.where(seen_at == NEVER, 0, at - seen_at)
        is_forgiven = (verdict == Verdict.ABSENT) & (quiet_ms < self._patience_ms)
        is_over = verdicts.tier[:, None] >= np.arange(self.over_since.shape[1])
        over = _since(self.over_since[group], is_over, is_forgiven[:, None], at[:, None])
        clear = _since(self.clear_since[group], verdict == Verdict.CLEAR, is_forgiven, at)
        limit = np.where(phase == Phase.PENDING, self._patience_ms, self._expire_ms)
        held = (phase != Phase.NORMAL) & (quiet_ms >= limit)
        held = np.where(verdict == Verdict.BREACH, at - over[:, 0] >= self._for_ms, held)
        held = np.where(verdict == Verdict.CLEAR, at - clear >= self._resolve_ms, held)
        return 2 * verdict.astype(np.intp) + held, over, clear

    def _reached_tier(self, over: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the highest tier that has held for long enough; -1 for none."""
        has_held = (over != NEVER) & (at[:, None] - np.maximum(over, 0) >= self._for_ms)
        highest: NDArray[np.int8] = np.where(
            has_held, np.arange(over.shape[1], dtype=np.int8), np.int8(-1)
        ).max(axis=1)
        return highest

    def _transition(
        self,
        verdicts: VerdictBatch,
        i: int,
        change: Change,
        reached: NDArray[np.int8],
        over: NDArray[np.int64],
        clear: NDArray[np.int64],
        peak: NDArray[np.float64],
    ) -> Transition:
        group = int(verdicts.group[i])
        has_ended = change in {Change.RESOLVED, Change.EXPIRED}
        tier = int(self.tier[group]) if has_ended else int(reached[i])
        since_at = {
            Change.OPENED: over[i, 0],
            Change.ROSE: over[i, tier],
            Change.RESOLVED: clear[i],
            Change.EXPIRED: self.seen_at[group],
        }[change]
        return Transition(
            change=change,
            group=group,
            at=int(verdicts.at[i]),
            since_at=int(since_at),
            tier=tier,
            value=float(verdicts.value[i]),
            views=float(verdicts.views[i]),
            peak=float(peak[i]),
        )


def _since(
    since: NDArray[np.int64],
    is_so: NDArray[np.bool_],
    is_forgiven: NDArray[np.bool_],
    at: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return since when each claim has been true without a break; `NEVER` when it is not."""
    begun = np.where(since == NEVER, at, since)
    return np.where(is_so, begun, np.where(is_forgiven, since, NEVER))
