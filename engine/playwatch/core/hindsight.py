"""Hindsight: what late data would have changed about an incident.

An incident opens, rises and ends on what was known at that moment. Data that
arrive late, within the window, correct the past; they never open or close an
incident in retrospect, because people have been told already. But whoever reads
the incident later should know. So the totals of each such moment are kept for
as long as late data can still reach them, corrected along with the window, and
judged again.

A sample is late to a moment when it is older than what its group had been heard
of by then. What only came at the same time, in another message, is not.

Windows of latest values have no past that could be corrected, and an extreme
does not tell what lay beneath it: a sample taken back leaves it as it is. A
restart forgets the moments before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.incidents import Change
from playwatch.core.threshold import judge
from playwatch.core.verdicts import Verdict
from playwatch.core.windows import BUCKETS, RingWindows, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from numpy.typing import NDArray

    from playwatch.core.casebook import Turn
    from playwatch.core.clerk import Clerk
    from playwatch.core.incidents import Incident
    from playwatch.core.samples import SampleBatch
    from playwatch.core.transitions import Transition
    from playwatch.core.verdicts import VerdictBatch

FLIPS_LIMIT: Final = 100
"""How often late data may change their mind about one moment."""
_OF_VALUES: Final = frozenset({Change.OPENED, Change.ROSE, Change.RESOLVED})
"""What was decided on a value, and not on silence or time."""


@dataclass(slots=True, eq=False)
class Moment:
    """One decision about an incident, and what its window held then.

    Attributes
    ----------
    incident
        As it stands now.
    change, tier
        What was decided.
    at, heard_at
        The group's event time, and the newest sample that it was made of.
    totals
        What the window held, one entry in each column; corrected since.
    finding
        What late data say of it, in words; empty while they agree.
    flips
        How often that has changed.
    """

    incident: Incident
    change: Change
    tier: int
    at: int
    heard_at: int
    totals: Totals
    finding: str = ""
    flips: int = 0

    def is_like(self, other: Moment) -> bool:
        """Return whether two moments are the same turn of the same incident."""
        return self.incident.id == other.incident.id and self.change is other.change

    def agrees(self, verdicts: VerdictBatch, i: int = 0) -> bool:
        """Return whether a verdict, the i-th of a batch, leads to the same decision."""
        if self.change is Change.RESOLVED:
            return int(verdicts.verdict[i]) == Verdict.CLEAR
        return int(verdicts.tier[i]) >= self.tier


class Hindsight:
    """The moments of one rule that late data can still reach.

    Parameters
    ----------
    windows
        The rule's windows. Those of latest values leave this empty for good.

    Notes
    -----
    Empty, it is false and costs nothing. Otherwise O(n) for n samples and each
    group that has moments.
    """

    def __init__(self, windows: object) -> None:
        self._windows = windows if isinstance(windows, RingWindows) else None
        self._moments: dict[int, list[Moment]] = {}
        self._revised: list[tuple[int, Moment]] = []

    def __bool__(self) -> bool:
        """Return whether there is anything to correct."""
        return bool(self._moments)

    @property
    def groups(self) -> Iterable[int]:
        """The groups that have moments to correct."""
        return self._moments.keys()

    def concerns(self, groups: Iterable[int]) -> bool:
        """Return whether any of these groups has moments to correct."""
        return not self._moments.keys().isdisjoint(groups)

    def note(
        self, transition: Transition, turn: Turn, verdicts: VerdictBatch, totals: Totals
    ) -> None:
        """Keep a decision that late data may yet contradict.

        Parameters
        ----------
        verdicts, totals
            What it was decided on, with other groups.
        """
        change, incident = turn
        if self._windows is None:
            return
        kept = self._moments.get(transition.group, [])
        for one in kept:
            if one.incident.id == incident.id:
                one.incident = incident
        if change not in _OF_VALUES or transition.is_silence:
            return
        i = transition.row
        moment = Moment(
            incident,
            change,
            transition.tier,
            transition.at,
            int(self._windows.clocks.newest_at[transition.group]),
            _one_of(totals, i),
        )
        if moment.agrees(verdicts, i):
            kept = [one for one in kept if not one.is_like(moment)]
            self._moments[transition.group] = [*kept, moment]

    def revise(self, group: NDArray[np.int32], batch: SampleBatch, sign: int) -> None:
        """Add samples to the moments that they come late to, or take them back.

        Parameters
        ----------
        group
            The group of each sample of the batch.
        sign
            1 for samples that count, -1 for those that count no more.
        """
        reached = self._reached(group, batch.at)
        for row in [one for one in self._moments if one in reached] if reached else ():
            part, moments = batch.take(group == row), self._moments[row]
            self._revised += [(row, one) for one in moments if self._pour(row, one, part, sign)]

    def corrected(self, still_open: MutableMapping[int, Incident], clerk: Clerk) -> list[Turn]:
        """Judge again what was revised; return the incidents that it would have changed.

        Parameters
        ----------
        still_open
            The open incident of each group; brought up to date.
        """
        revised, self._revised = self._revised, []
        turns: dict[str, Turn] = {}
        for group, moment in revised:
            incident = moment.incident
            now_open = still_open.get(group)
            if now_open is not None and now_open.id == incident.id:
                incident = now_open
            elif incident.is_open:  # it was closed by hand, or with its rule
                continue
            if not self._judge_again(group, moment, clerk):
                continue
            incident = replace(incident, correction=self._findings(group, incident))
            for one in self._moments.get(group, ()):
                if one.incident.id == incident.id:
                    one.incident = incident
            if incident.is_open:
                still_open[group] = incident
            turns[incident.id] = Change.CORRECTED, incident
        return list(turns.values())

    def forget(self, monotonic_ms: int) -> None:
        """Drop the moments that no late sample can reach any more."""
        if self._windows is None:
            return
        size = self._windows.bucket_ms
        rows = np.fromiter(self._moments, np.int32, len(self._moments))
        now = self._windows.clocks.now(rows, monotonic_ms) // size
        for row, bucket in zip(map(int, rows), map(int, now), strict=True):
            kept = [one for one in self._moments[row] if one.at // size > bucket - BUCKETS]
            if kept:
                self._moments[row] = kept
            else:
                del self._moments[row]

    def _reached(self, group: NDArray[np.int32], at: NDArray[np.int64]) -> set[int]:
        """Return the groups of which a sample is older than what a moment had heard.

        Hardly any is, and after a storm every group has moments.
        """
        rows, position = np.unique(group, return_inverse=True)
        oldest = np.full(len(rows), np.iinfo(np.int64).max)
        np.minimum.at(oldest, position, at)
        return {
            row
            for row, first in zip(rows.tolist(), oldest.tolist(), strict=True)
            if any(first < one.heard_at for one in self._moments.get(row, ()))
        }

    def _findings(self, group: int, incident: Incident) -> str:
        return "; ".join(
            one.finding
            for one in self._moments.get(group, ())
            if one.incident.id == incident.id and one.finding
        )

    def _judge_again(self, group: int, moment: Moment, clerk: Clerk) -> bool:
        """Return whether late data have changed their mind about a moment."""
        yes = np.ones(1, np.bool_)
        rows, at = np.array([group], np.int32), np.array([moment.at])
        verdicts = judge(
            clerk.rule, clerk.condition, clerk.metric, rows, at, moment.totals, yes, yes
        )
        if moment.agrees(verdicts) != bool(moment.finding) or moment.flips >= FLIPS_LIMIT:
            return False
        moment.flips += 1
        moment.finding = (
            "" if moment.finding else clerk.correction(moment.change, moment.tier, verdicts)
        )
        return True

    def _pour(self, row: int, moment: Moment, batch: SampleBatch, sign: int) -> bool:
        """Correct the totals of one moment; return whether any sample was late to it."""
        windows = self._windows
        if windows is None:
            return False
        bucket = batch.at // windows.bucket_ms
        # Inside the window then, and inside the ring now.
        first = max(int(windows.head[row]), moment.at // windows.bucket_ms) - BUCKETS
        late = (batch.at < moment.heard_at) & (bucket > first)
        if not late.any():
            return False
        batch, before = batch.take(late), moment.totals
        moment.totals = Totals(
            before.sums + sign * windows.weights(batch).sum(),
            before.views + sign * batch.views.sum(),
            before.samples + sign * len(batch),
            windows.further(before.extreme, batch) if sign > 0 else before.extreme,
        )
        return True


def _one_of(totals: Totals, i: int) -> Totals:
    """Return what one window holds, as columns of length 1."""
    one = slice(i, i + 1)
    extreme = None if totals.extreme is None else totals.extreme[one].copy()
    # What they were read from goes on changing.
    return Totals(
        totals.sums[one].copy(), totals.views[one].copy(), totals.samples[one].copy(), extreme
    )
