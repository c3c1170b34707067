"""A watch: one rule at work, with its groups, windows, phases and open incidents."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.audience import LatestWindows
from playwatch.core.casebook import Casebook
from playwatch.core.clerk import Clerk
from playwatch.core.groups import GroupTable
from playwatch.core.hindsight import Hindsight
from playwatch.core.lifecycle import LifecycleState
from playwatch.core.phases import Phase
from playwatch.core.places import Places, distinct
from playwatch.core.rules import NoDataPolicy, Threshold
from playwatch.core.series import NEVER
from playwatch.core.singles import Singles
from playwatch.core.threshold import crosses, judge, needs_whole, value_of, views_of
from playwatch.core.window_choice import windows_for
from playwatch.core.windows import RingWindows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.casebook import Turn
    from playwatch.core.decisions import Decision
    from playwatch.core.dispatch import Few, Part
    from playwatch.core.incidents import Incident
    from playwatch.core.metrics import Catalogue
    from playwatch.core.rules import Rule
    from playwatch.core.samples import Instant

Touched = np.ndarray[tuple[int], np.dtype[np.int32]]
"""Group rows, each at most once."""

_NO_GROUPS: Final = np.zeros(0, np.int32)


class Watch:
    """One rule at work.

    Parameters
    ----------
    rule
        What to watch; its metric must be in the catalogue.
    installation
        Goes into the identity of every incident.
    counts_after
        Newest sample time that the series table knew when the watch was made.
        Its windows do not hold those samples, so they cannot be taken back.
    """

    def __init__(
        self, rule: Rule, catalogue: Catalogue, installation: str, counts_after: int = NEVER
    ) -> None:
        number = catalogue.id_of(rule.metric)
        if number is None or not isinstance(rule.condition, Threshold):
            message = f"rule {rule.name}: no metric {rule.metric}, or no threshold"
            raise ValueError(message)
        self.rule = rule
        self.condition = rule.condition
        self.metric_id = number
        self.metric = catalogue[number]
        self.groups = GroupTable(number, rule.where, rule.by)
        self.windows = windows_for(rule, self.metric)
        self.phases = LifecycleState(
            rule, len(rule.condition.tiers), is_upward=rule.condition.comparison.is_upward
        )
        self._cases = Casebook()
        self.open = self._cases.open
        self._hindsight = Hindsight(self.windows)
        self.counts_after = counts_after
        self._began_ms: int | None = None
        self._silent_at_ms = NEVER
        self._emptied_at: dict[int, int] = {}
        self._clerk = Clerk(rule, rule.condition, self.metric, installation)
        self._room = 0
        self._singles: Singles | None = None
        self._is_simple = Singles.fit(rule, self.windows)

    def begin(self, monotonic_ms: int) -> None:
        """Note when this watch could first listen."""
        self._began_ms = monotonic_ms if self._began_ms is None else self._began_ms

    def take(self, counted: Part, withdrawn: Part | None, monotonic_ms: int) -> tuple[Touched, int]:
        """Count samples in the windows; return the groups they touched and how many were late.

        Parameters
        ----------
        counted
            The samples of a batch that are this rule's.
        withdrawn
            Those counted before that no longer count.
        """
        self.reserve()
        if withdrawn is not None:
            self._take_back(withdrawn)
        group, batch = counted
        late = self.windows.add(group, batch, monotonic_ms)
        if self._hindsight:
            self._hindsight.revise(group, batch, 1)
        return distinct(group, len(self.groups)), late

    def take_few(self, few: Few, monotonic_ms: int) -> tuple[Touched, int]:
        """Do the same for so few samples that a loop is quicker than columns.

        Returns
        -------
        (n,) array of int32, and int
            Of the groups touched, those that may not stay as they are.
        """
        self.reserve()
        if self._singles is None and isinstance(self.windows, RingWindows):
            self._singles = Singles(self.rule, self.condition, self.windows, self.phases)
        taken = None
        if self._singles and self._is_simple and not self._hindsight.concerns(few.group):
            taken = self._singles.take(few, monotonic_ms)
        if taken is None:
            return self.take(few.part(), None, monotonic_ms)
        restless, late = taken
        return np.array(restless, np.int32) if restless else _NO_GROUPS, late

    def reserve(self) -> None:
        """Make room for every group of the table."""
        if len(self.groups) > self._room:
            self.windows.reserve(len(self.groups))
            self.phases.reserve(len(self.groups))
            self._room = len(self.phases.phase)
            self._singles = None

    def judge(self, group: Touched, monotonic_ms: int) -> list[Turn]:
        """Judge some groups, each at most once, and return the incidents that changed."""
        rule, condition, metric, windows = self.rule, self.condition, self.metric, self.windows
        at = windows.clocks.now(group, monotonic_ms)
        totals = windows.totals(group, at)
        is_deaf = rule.no_data.policy is NoDataPolicy.KEEP
        is_normal = is_deaf and not Places(group).of(self.phases.phase).any()
        turns = self._hindsight.corrected(self.open, self._clerk) if self._hindsight else []
        if is_normal and not crosses(rule, condition, metric, totals):
            return turns
        covered = windows.covers(group, at)
        whole = windows.is_whole(group, at) if needs_whole(rule, condition, metric) else covered
        verdicts = judge(rule, condition, metric, group, at, totals, covered, whole)
        silence_ms = None
        if self.rule.no_data.policy is not NoDataPolicy.KEEP:
            silence_ms = np.maximum(monotonic_ms - self._heard_ms(group, monotonic_ms), 0)
        if rule.no_data.policy is NoDataPolicy.OPEN and not self.phases.is_armed[group].all():
            # One that is heard again with an old time may be due before all others.
            self._silent_at_ms = NEVER
        stepped = self.phases.step(verdicts, silence_ms)
        for move in stepped.moves:
            self._cases.note(self._clerk, move)
        for one in stepped.transitions:
            turns.append(self._cases.turn(self._clerk, one, self.groups.breakdowns(one.group)))
            self._hindsight.note(one, turns[-1], verdicts, totals)
        return turns

    def values(self, group: Touched, monotonic_ms: int) -> NDArray[np.float64]:
        """Return the value of some groups now; NaN without data or with too few views."""
        at = self.windows.clocks.now(group, monotonic_ms)
        totals = self.windows.totals(group, at)
        value = value_of(self.metric, totals, self.rule.aggregate)
        is_enough = views_of(self.metric, totals, value) >= self.rule.min_views
        return np.where(is_enough, value, np.nan)

    def tick(self, monotonic_ms: int) -> list[Turn]:
        """Judge the groups that time alone can move."""
        if isinstance(self.windows, LatestWindows):
            self.windows.forget(monotonic_ms)
        if self._hindsight:
            self._hindsight.forget(monotonic_ms)
        silent = self._silent(monotonic_ms)
        if self.phases.is_idle and not len(silent):
            return []
        return self.judge(np.union1d(self.phases.active(), silent), monotonic_ms)

    def drain(self) -> list[Decision]:
        """Return the decisions since the last call that are no turn of an incident."""
        return self._cases.drain()

    def edit(self, rule: Rule) -> None:
        """Judge by another rule of the same scope; groups, windows and incidents stay.

        Raises
        ------
        ValueError
            If its scope is another one.

        Notes
        -----
        A tier that both rules have keeps its time since the crossing, and the
        lowest one always does; the next verdict forgets those that no longer hold.
        """
        if rule.scope != self.rule.scope or not isinstance(rule.condition, Threshold):
            message = f"rule {rule.name} watches something else now"
            raise ValueError(message)
        before = [tier.severity for tier in self.condition.tiers]
        tiers = rule.condition.tiers
        phases = LifecycleState(rule, len(tiers), is_upward=rule.condition.comparison.is_upward)
        sources = [before.index(one.severity) if one.severity in before else -1 for one in tiers]
        phases.carry(self.phases, [0, *sources[1:]])
        self.rule, self.condition, self.phases = rule, rule.condition, phases
        self._clerk = replace(self._clerk, rule=rule, condition=rule.condition)
        self._room, self._is_simple = 0, Singles.fit(rule, self.windows)
        self._silent_at_ms = NEVER
        self._hindsight = Hindsight(self.windows)
        for group, incident in self.open.items():
            phases.tier[group] = self._tier_of(incident)

    def _tier_of(self, incident: Incident) -> int:
        """Return the tier that an incident has reached; -1 for a silence."""
        if incident.is_silence:
            return -1
        severities = [tier.severity for tier in self.condition.tiers]
        return max(0, sum(severity <= incident.severity for severity in severities) - 1)

    def _heard_ms(self, group: Touched | slice, monotonic_ms: int) -> NDArray[np.int64]:
        """Return when groups were last heard; not before this watch could listen."""
        if self._began_ms is None:
            self._began_ms = monotonic_ms
        return np.maximum(self.windows.clocks.heard_ms[group], self._began_ms)

    def _silent(self, monotonic_ms: int) -> Touched:
        """Return the groups whose silence may open an incident now.

        Notes
        -----
        Nothing until the next silence can be long enough: groups that are
        heard meanwhile only put that off. Then, and while one is silent, O(groups).
        """
        if self.rule.no_data.policy is not NoDataPolicy.OPEN or monotonic_ms < self._silent_at_ms:
            return _NO_GROUPS
        count, clocks = len(self.groups), self.windows.clocks
        after_ms = round(self.rule.no_data.after_s * 1000)
        can_open = self.phases.is_armed[:count] & (clocks.newest_at[:count] != NEVER)
        left_ms = self._heard_ms(slice(count), monotonic_ms) + after_ms - monotonic_ms
        silent = np.flatnonzero(can_open & (left_ms <= 0)).astype(np.int32)
        soonest = left_ms[can_open & (left_ms > 0)].min(initial=after_ms)
        self._silent_at_ms = monotonic_ms + (0 if len(silent) else int(soonest))
        return silent

    def silent_groups(self, newest_at: int, silent_ms: int) -> NDArray[np.intp]:
        """Return the groups that were silent for a time and of which nothing is left.

        Nothing means: a normal phase, no incident, none that late data may
        correct, an empty window, and no silence that may open an incident yet.

        Parameters
        ----------
        newest_at
            The newest time of the stream.
        """
        count, windows, phases = len(self.groups), self.windows, self.phases
        longest_ms = max(silent_ms, round(2000 * self.rule.window_s))
        kept = windows.clocks.newest_at[:count] >= newest_at - longest_ms
        kept |= phases.phase[:count] != Phase.NORMAL
        kept[[*self.open, *self._hindsight.groups]] = True
        if self.rule.no_data.policy is NoDataPolicy.OPEN:
            kept |= phases.is_armed[:count]
        if isinstance(windows, LatestWindows):
            kept |= windows.samples[:count] > 0
        live = self.groups.live
        return live[~kept[live]].astype(np.intp)

    def give_up(self, group: NDArray[np.intp]) -> None:
        """Let new groups have the rows of silent ones, which begin anew when they come back."""
        self.groups.give_up(group)
        if isinstance(self.windows, RingWindows):
            self.windows.empty(group)
        self.windows.clocks.forget(group)
        self.phases.forget(group)
        for row in group.tolist():
            self._emptied_at.pop(row, None)

    def adopt(self, incident: Incident, now: Instant) -> None:
        """Take over an incident that the store says is open.

        Notes
        -----
        Whatever the snapshot says, the store is right: it was committed at the
        moment of the opening, the snapshot up to half a minute before.
        """
        group = self.groups.intern(tuple(value for _, value in incident.breakdowns))
        self.reserve()
        self._cases.adopt(group, incident)
        clocks = self.windows.clocks
        if clocks.newest_at[group] == NEVER:
            clocks.newest_at[group] = incident.opened_at
            clocks.heard_ms[group] = now.monotonic_ms - max(0, now.at - incident.opened_at)
            # Nothing is known of its window: what comes first ends the hole.
            clocks.resumed_from[group] = NEVER + 1
        self.phases.reopen(group, self._tier_of(incident), incident.peak_value, now.at)

    def disown_others(self) -> None:
        """Put groups into NORMAL that the snapshot has open and the store has not.

        Their incident ended after the snapshot, so the bad window that the
        snapshot holds has been outlived; judged again it would page again.
        """
        for group in map(int, self.phases.active()):
            if group not in self.open and self.phases.is_open(group):
                self.phases.settle(group)
                self.windows.empty(group)
                self._emptied_at[group] = int(self.windows.clocks.newest_at[group])

    def _take_back(self, withdrawn: Part) -> None:
        group, batch = withdrawn
        was_counted = batch.at > self.counts_after
        for row, emptied_at in self._emptied_at.items():
            was_counted &= (group != row) | (batch.at > emptied_at)
        if was_counted.any():
            group, batch = group[was_counted], batch.take(was_counted)
            self.windows.withdraw(group, batch)
            if self._hindsight:
                self._hindsight.revise(group, batch, -1)
