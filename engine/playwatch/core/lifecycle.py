"""The lifecycle at work: the phase of every group of a rule, in columns.

What follows on what is in the table of `phases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.incidents import Change
from playwatch.core.phase_columns import PhaseColumns
from playwatch.core.phases import GONE_OPENS, GONE_RESOLVES, TABLE, Phase
from playwatch.core.rules import NoDataPolicy
from playwatch.core.series import NEVER
from playwatch.core.transitions import Reading, Stepped, Transition, changes_of, moves_of
from playwatch.core.verdicts import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.verdicts import VerdictBatch

_NOTHING: Final = Stepped([], [])
_BEGINNINGS: Final = frozenset({Change.OPENED, Change.FLAPPED})


class LifecycleState(PhaseColumns):
    """The phases of one rule's groups, and how verdicts move them.

    Notes
    -----
    A step is O(n) for n verdicts, and next to nothing while every group is
    normal and stays so.
    """

    def step(self, verdicts: VerdictBatch, silence_ms: NDArray[np.int64] | None = None) -> Stepped:
        """Move the judged groups on and return what changed.

        Parameters
        ----------
        silence_ms
            How long each group has not been heard; needed where the rule says
            what silence means.
        """
        group = verdicts.group
        phase = self.phase[group]
        is_quiet = not phase.any() and verdicts.tier.max(initial=-1) < 0
        if is_quiet and (silence_ms is None or silence_ms.max(initial=0) < self._gone_ms):
            self._arm(verdicts)
            return _NOTHING
        read = self._read(verdicts, phase, silence_ms)
        after, reached = self._after(verdicts, phase, read)
        tier = self.tier[group]
        # A value of too few views is no peak.
        counts = read.is_breach | (verdicts.verdict == Verdict.CLEAR)
        value = np.where(counts, verdicts.value, np.nan)
        begins = (phase < Phase.OPEN) & (after >= Phase.OPEN)
        peak = np.where(begins, value, self._worse(self.peak[group], value))
        transitions = [
            self._transition(verdicts, i, change, max(tier[i], reached[i]), read, peak, silence_ms)
            for change, i in changes_of(phase, after, tier, reached, read)
        ]
        moves = moves_of(verdicts, phase, after, read)
        self._keep(verdicts, phase, after, reached, peak, read)
        return Stepped(transitions, moves)

    def _read(
        self,
        verdicts: VerdictBatch,
        phase: NDArray[np.int8],
        silence_ms: NDArray[np.int64] | None,
    ) -> Reading:
        """Find each verdict's column of the table, and since when it has been so."""
        group, at, verdict = verdicts.group, verdicts.at, verdicts.verdict
        is_breach = verdict == Verdict.BREACH
        # To an incident of silence, data that do not breach are the recovery.
        is_back = (verdict == Verdict.HOLD) & (phase >= Phase.OPEN) & (self.tier[group] < 0)
        is_clear = (verdict == Verdict.CLEAR) | is_back
        is_lingering = phase == Phase.LINGERING
        # The clock may have stepped back; a group was not seen in its future.
        seen_at = np.where(is_breach | is_clear, at, np.minimum(self.seen_at[group], at))
        quiet_ms = np.where(seen_at == NEVER, 0, at - seen_at)
        is_forgiven = (verdict == Verdict.ABSENT) & (quiet_ms < self._patience_ms)
        is_over = verdicts.tier[:, None] >= np.arange(self.over_since.shape[1])
        over = _since(self.over_since[group], is_over, is_forgiven[:, None], at[:, None])
        clear = _since(self.clear_since[group], is_clear, is_forgiven | is_lingering, at)
        clear = np.where(is_lingering, self.clear_since[group], clear)
        limit = np.where(phase == Phase.PENDING, self._patience_ms, self._expire_ms)
        held = (phase != Phase.NORMAL) & (quiet_ms >= limit)
        held = np.where(is_clear, at - clear >= self._resolve_ms, held)
        held = np.where(is_lingering, self._has_lapsed(group, at), held)
        held = np.where(is_breach, at - over[:, 0] >= self._for_ms, held)
        is_gone = np.zeros(len(group), np.bool_)
        if silence_ms is not None:
            is_expired = held & (phase >= Phase.OPEN) & ~is_lingering
            is_gone = (verdict == Verdict.ABSENT) & (silence_ms >= self._gone_ms) & ~is_expired
        symbol = 2 * np.where(is_clear, Verdict.CLEAR, verdict).astype(np.intp) + held
        if self._no_data is NoDataPolicy.OPEN:
            is_gone &= self.is_armed[group] | ((phase >= Phase.OPEN) & ~is_lingering)
            symbol[is_gone] = GONE_OPENS
        else:
            is_gone &= ~is_lingering
            symbol[is_gone] = GONE_RESOLVES
        if silence_ms is not None:
            clear = np.where(is_gone & ~is_lingering, at - silence_ms, clear)
        return Reading(symbol, over, clear, seen_at, is_breach, is_clear, is_gone)

    def _after(
        self, verdicts: VerdictBatch, phase: NDArray[np.int8], read: Reading
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return the next phases, and the tiers that have been reached."""
        group, at = verdicts.group, verdicts.at
        after = TABLE[phase, read.symbol]
        # Silence forgives a tier its time, but only a breach can reach it.
        reached = np.where(read.is_breach, self._reached_tier(read.over, at), np.int8(-1))
        was_lingering = phase == Phase.LINGERING
        if self._linger_ms:
            is_over = (phase >= Phase.OPEN) & ~was_lingering & (after == Phase.NORMAL)
            after[is_over & (read.is_clear | read.is_gone)] = Phase.LINGERING
        if was_lingering.any():
            has_lapsed = was_lingering & self._has_lapsed(group, at)
            after[has_lapsed & read.is_breach & (after != Phase.OPEN)] = Phase.PENDING
        if self._active is not None:
            begins = (phase < Phase.OPEN) | was_lingering | (reached > self.tier[group])
            rows = np.flatnonzero((after == Phase.OPEN) & begins)
            rows = rows[~self._active.cover(at[rows])]
            reached[rows] = np.minimum(reached[rows], self.tier[group[rows]])
            rows = rows[(phase[rows] < Phase.OPEN) | was_lingering[rows]]
            waiting = np.where(read.is_breach[rows], Phase.PENDING, Phase.NORMAL)
            lingers = was_lingering[rows] & ~self._has_lapsed(group[rows], at[rows])
            after[rows] = np.where(lingers, Phase.LINGERING, waiting)
        return after, reached

    def _has_lapsed(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which groups have lingered for long enough, if they linger."""
        if not self._linger_ms:
            return np.ones(len(group), np.bool_)
        lapsed: NDArray[np.bool_] = at >= self.linger_until[group]
        return lapsed

    def _reached_tier(self, over: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the highest tier that has held for long enough; -1 for none."""
        has_held = (over != NEVER) & (at[:, None] - np.maximum(over, 0) >= self._for_ms)
        highest: NDArray[np.int8] = np.where(
            has_held, np.arange(over.shape[1], dtype=np.int8), np.int8(-1)
        ).max(axis=1)
        return highest

    def _keep(
        self,
        verdicts: VerdictBatch,
        phase: NDArray[np.int8],
        after: NDArray[np.int8],
        reached: NDArray[np.int8],
        peak: NDArray[np.float64],
        read: Reading,
    ) -> None:
        """Write what is so from here on."""
        group, at = verdicts.group, verdicts.at
        is_open = after >= Phase.OPEN
        begins = is_open & (phase < Phase.OPEN)
        tier = np.where(begins, reached, np.maximum(self.tier[group], reached))
        if self._busy is not None:
            self._busy += int(np.count_nonzero(after)) - int(np.count_nonzero(phase))
        self.phase[group] = after
        self.tier[group] = np.where(is_open, tier, -1)
        lingers = (after == Phase.LINGERING) & (phase != Phase.LINGERING)
        is_over = (after == Phase.NORMAL) | lingers
        self.over_since[group] = np.where(is_over[:, None], NEVER, read.over)
        self.clear_since[group] = np.where(after >= Phase.CLEARING, read.clear, NEVER)
        self.peak[group] = np.where(is_open, peak, np.nan)
        # From the opening of a silence on, it may last as long as any other.
        was_shut = (phase < Phase.OPEN) | (phase == Phase.LINGERING)
        is_news = read.is_gone & (after == Phase.OPEN) & was_shut
        self.seen_at[group] = np.where(is_news, at, read.seen_at)
        if self._for_ms:
            rows = np.flatnonzero((phase == Phase.NORMAL) & (after == Phase.PENDING))
            self.crossed_value[group[rows]] = verdicts.value[rows]
            self.crossed_views[group[rows]] = verdicts.views[rows]
        if self._linger_ms:
            rows = np.flatnonzero(lingers)
            self.linger_until[group[rows]] = at[rows] + self._linger_ms
        self._arm(verdicts)
        if self._no_data is NoDataPolicy.OPEN:
            self.is_armed[group[read.is_gone & (after == Phase.OPEN)]] = False

    def _arm(self, verdicts: VerdictBatch) -> None:
        """Let the next silence of the groups that were heard open an incident."""
        if self._no_data is NoDataPolicy.OPEN:
            self.is_armed[verdicts.group[verdicts.verdict != Verdict.ABSENT]] = True

    def _transition(
        self,
        verdicts: VerdictBatch,
        i: int,
        change: Change,
        tier: int,
        read: Reading,
        peak: NDArray[np.float64],
        silence_ms: NDArray[np.int64] | None,
    ) -> Transition:
        group, at = int(verdicts.group[i]), int(verdicts.at[i])
        begins = change in _BEGINNINGS
        is_silence = bool(read.is_gone[i]) and (begins or read.symbol[i] == GONE_RESOLVES)
        if is_silence and begins and silence_ms is not None:
            since_at = at - int(silence_ms[i])
        elif begins or change is Change.ROSE:
            since_at = int(read.over[i, max(tier, 0) if change is Change.ROSE else 0])
        else:
            since_at = int((read.clear if change is Change.RESOLVED else read.seen_at)[i])
        was_pending = self.phase[group] == Phase.PENDING and bool(self._for_ms)
        value, views = float(verdicts.value[i]), float(verdicts.views[i])
        return Transition(
            change=change,
            row=i,
            group=group,
            at=at,
            since_at=since_at,
            tier=int(tier),
            value=value,
            views=views,
            peak=float(peak[i]),
            is_silence=is_silence,
            crossed_value=float(self.crossed_value[group]) if was_pending else value,
            crossed_views=float(self.crossed_views[group]) if was_pending else views,
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
