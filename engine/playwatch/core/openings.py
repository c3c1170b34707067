"""Openings: which of the groups that breach open an incident, and what it says.

Groups that are bad for the same reason open together, but only the first of
them stands for itself. The others name it, and nobody is paged for them while
it is open. Beyond `RELATED_LIMIT` of them further groups open none.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.anomaly import held, once_in_weeks
from playwatch.core.anomaly_clerk import Explanation, anomaly_clerk
from playwatch.core.attribution import causes_of, causes_of_failures
from playwatch.core.casebook import Casebook
from playwatch.core.groups import NO_GROUP
from playwatch.core.incidents import Change
from playwatch.core.kinship import SAME_CAUSE, heads_of, is_same
from playwatch.core.leaves import shares
from playwatch.core.metric_kinds import metric_class, worse_direction
from playwatch.core.phases import Phase
from playwatch.core.verdicts import Verdict
from playwatch_models.classes import Direction, MetricClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.anomaly_clerk import AnomalyClerk
    from playwatch.core.casebook import Turn
    from playwatch.core.group_facts import GroupFacts
    from playwatch.core.incidents import Cause
    from playwatch.core.lattice import Lattice
    from playwatch.core.leaves import LeafMemory
    from playwatch.core.lifecycle import LifecycleState
    from playwatch.core.metrics import Metric
    from playwatch.core.rules import Anomaly, Rule
    from playwatch.core.verdicts import VerdictBatch

RELATED_LIMIT: Final = 20
"""Incidents that may belong to one."""


class Openings:
    """Turns the verdicts of a learned rule into incidents that explain themselves.

    Parameters
    ----------
    groups, leaves, facts
        What the rule watches, and what is known of it.
    """

    def __init__(
        self,
        metric: Metric,
        installation: str,
        groups: Lattice,
        leaves: LeafMemory,
        facts: GroupFacts,
    ) -> None:
        self._metric = metric
        self._counts_failures = metric_class(metric) is MetricClass.RATIO
        self._installation = installation
        self._groups = groups
        self._leaves = leaves
        self._facts = facts
        self.cases = Casebook()
        self._head_of: dict[int, int] = {}
        self._hit_before: dict[int, float] = {}
        self._alone: set[int] = set()
        self._over: list[int] = []
        self._claimed: dict[int, int] = {}
        self._told: dict[int, list[Cause]] = {}
        self.apart: set[str] = set()

    def conclude(
        self, rule: Rule, condition: Anomaly, phases: LifecycleState, verdicts: VerdictBatch
    ) -> list[Turn]:
        """Move the groups on; return the incidents that changed, heads before their kin."""
        verdicts = self._with_kin(phases, verdicts)
        stepped = phases.step(verdicts)
        for move in stepped.moves:
            clerk = self._clerk(rule, condition, move.group)
            self.cases.note(clerk, move)
        turns = []
        for one in sorted(stepped.transitions, key=lambda one: self._head(one.group) != one.group):
            clerk = self._clerk(rule, condition, one.group, opens=one.change is Change.OPENED)
            turns.append(self.cases.turn(clerk, one, self._groups.breakdowns(one.group)))
            if one.group not in self.cases.open:
                ended = turns[-1][1]
                if not ended.related_to or one.group in self._alone:
                    self._over.append(one.group)
                self._head_of.pop(one.group, None)
                self._alone.discard(one.group)
                self._told.pop(one.group, None)
                self._claimed = {row: by for row, by in self._claimed.items() if by != one.group}
                self.apart.discard(ended.id)
        return turns

    def past(self) -> NDArray[np.int32]:
        """Return the groups that hold something of faults that have ended since the last call.

        Notes
        -----
        It opens nothing by itself any more, and the views that it hit are told of:
        what is to open after it must be an excursion of its own, with a toll of its own.
        """
        if not self._over:
            return np.zeros(0, np.int32)
        leaves = np.zeros(len(self._groups.leaves), np.bool_)
        for group in self._over:
            leaves |= self._groups.members(group)
        self._over.clear()
        groups = self._groups.groups_of(np.flatnonzero(leaves).astype(np.int32))
        held = np.setdiff1d(groups[groups != NO_GROUP], [*self.cases.open]).astype(np.int32)
        self._facts.is_sceptical[held] = True
        self._facts.hit[held] = 0
        return held

    def outlive(self, head: str) -> None:
        """Note that an incident is over which told of others here."""
        for group, one in self.cases.open.items():
            if one.related_to == head:
                self._hit_before[group] = float(self._facts.hit[group])

    def goes_on(self, group: int, condition: Anomaly, phases: LifecycleState, level: float) -> bool:
        """Return whether an incident would be one without that which told of it.

        Notes
        -----
        Evidence of what is over fades only as views come in, in a small group for
        an hour. So it must be outside its band still, and have hit as many more as
        any incident has to.
        """
        more = self._facts.hit[group] - self._hit_before.get(group, 0.0)
        is_enough = not more < condition.min_affected_views  # NaN: nobody knows
        is_rare = self._facts.rarity[group] >= level and self._facts.is_outside(group)
        if not (is_enough and is_rare and phases.phase[group] == Phase.OPEN):
            return False
        is_alone = self._heads_of(np.array([group], np.int32)).get(group) == group
        self._alone |= {group} if is_alone else set()
        return is_alone

    def _head(self, group: int) -> int:
        return self._head_of.get(group, group)

    def _with_kin(self, phases: LifecycleState, verdicts: VerdictBatch) -> VerdictBatch:
        """Return the verdicts, without the breaches for which others stand already."""
        is_fresh = (verdicts.verdict == Verdict.BREACH) & (
            phases.phase[verdicts.group] < Phase.OPEN
        )
        if not is_fresh.any():
            return verdicts
        fresh = verdicts.group[is_fresh]
        is_bad = self._facts.is_worse(fresh, worse_direction(self._metric))
        head_of = self._heads_of(fresh[is_bad])
        if self._counts_failures:
            self._set_apart(head_of)
        waits = set(fresh[~is_bad].tolist())
        kin = self._count_kin()
        for group in fresh[is_bad].tolist():
            head = head_of.get(group)
            if head == group and self._claimed.get(group) in self.cases.open:
                # Inside its band again, where its excess lies is chance.
                head = group if self._facts.is_outside(group) else self._claimed[group]
            if head is None or (head != group and kin.get(head, 0) >= RELATED_LIMIT):
                waits.add(group)
                self._claimed.update({group: head} if head is not None else {})
                continue
            self._head_of[group] = head
            kin[head] = kin.get(head, 0) + (head != group)
        if not waits:
            return verdicts
        return held(verdicts, np.isin(verdicts.group, np.fromiter(waits, np.int32, len(waits))))

    def _set_apart(self, head_of: dict[int, int]) -> None:
        """Let a group of its own tell of a second cause within a wider one.

        Parameters
        ----------
        head_of
            Who tells of whom, of the groups that newly breach; changed in place.

        Notes
        -----
        A cause that grows or shrinks is the same one. A second one is told of by a
        group that breaches for it, be it new or one of those nobody was told of.
        """
        for head in {one for group, one in head_of.items() if one != group}:
            found = self._causes(head)
            is_open = head in self.cases.open
            named = list(self.cases.open[head].causes if is_open else found[:1])
            if not is_open or self._told.get(head, [])[:1] != named[:1]:
                self._told[head] = named
            told = self._told.setdefault(head, named)
            kin = [group for group, one in head_of.items() if one == head != group]
            if is_open:
                kin += [group for group in self.cases.open if self._head(group) == head != group]
                kin = [group for group in kin if group not in self._alone]
            for cause in found if told else ():
                if any(is_same(cause, one) for one in told):
                    continue
                group, followers = self._told_by(cause, head, kin)
                if group is None:
                    continue
                told.append(cause)
                if group in self.cases.open:
                    self._alone.add(group)
                    self.apart.add(self.cases.open[group].id)
                else:
                    head_of.update(dict.fromkeys(followers & head_of.keys(), group))

    def _told_by(self, cause: Cause, head: int, kin: list[int]) -> tuple[int | None, set[int]]:
        """Return which of some groups is to tell of a cause, and which have it."""
        inside = self._groups.members(head)
        inside &= self._groups.codes.holds(dict(cause.breakdowns))
        excess = self._leaves.excess(len(inside), is_upward=bool(self._facts.is_upward[head]))
        matrix = self._groups.groups_of(np.arange(len(inside), dtype=np.int32))
        share = shares(matrix, excess, inside, len(self._groups))
        having = [group for group in kin if share[group] >= SAME_CAUSE]
        place = {*cause.breakdowns, *self._groups.breakdowns(head)}

        def fits(group: int) -> tuple[bool, int, float]:
            pairs = self._groups.breakdowns(group)
            return place.issuperset(pairs), len(pairs), float(self._facts.impact[group])

        return max(having, key=fits, default=None), set(having)

    def _heads_of(self, group: NDArray[np.int32]) -> dict[int, int]:
        """Return who tells of the cause of each group; see `kinship.heads_of`."""
        if not len(group):
            return {}
        is_upward = bool(self._facts.is_upward[group].mean() >= 1 / 2)
        excess = self._leaves.excess(len(self._groups.leaves), is_upward=is_upward)
        heads = [
            row for row, one in self.cases.open.items() if not one.related_to or row in self._alone
        ]
        hit = np.nan_to_num(self._facts.impact[group])
        return heads_of(self._groups, excess, heads, group, hit)

    def _count_kin(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for group in self.cases.open:
            head = self._head(group)
            counts[head] = counts.get(head, 0) + (head != group)
        return counts

    def _clerk(
        self, rule: Rule, condition: Anomaly, group: int, *, opens: bool = False
    ) -> AnomalyClerk:
        facts = self._facts
        head = self.cases.open.get(self._head(group))
        told = Explanation(
            expected=_number(facts.expected[group]),
            low=_number(facts.low[group]),
            high=_number(facts.high[group]),
            since_at=int(facts.since_at[group]),
            is_upward=bool(facts.is_upward[group]),
            evidence=int(facts.evidence[group]),
            once_in_weeks=once_in_weeks(float(facts.rarity[group]), rule.window_s),
            hit=float(np.nan_to_num(facts.impact[group])),
            causes=self._named(group) if opens and self._head(group) == group else (),
            related_to=head.id if opens and head is not None else "",
        )
        return anomaly_clerk(rule, condition, self._metric, self._installation, told)

    def _named(self, group: int) -> tuple[Cause, ...]:
        """Return the causes that an incident names: those that no other one tells of."""
        told = self._told.get(group, ())
        return tuple(one for one in self._causes(group) if one not in told[1:])

    def _causes(self, group: int) -> tuple[Cause, ...]:
        leaves = self._groups.members(group)
        if self._counts_failures:
            recent, usual = (part / 100 for part in self._leaves.parts(len(leaves)))
            if worse_direction(self._metric) is Direction.DOWN:
                views = self._leaves.weights(len(leaves))
                recent, usual = views - recent, views - usual
            found = causes_of_failures(
                self._groups.codes,
                recent,
                usual,
                leaves,
                self._groups.breakdowns(group),
            )
            if found is not None:
                return found
        excess = self._leaves.excess(len(leaves), is_upward=bool(self._facts.is_upward[group]))
        return causes_of(
            self._groups.codes,
            np.where(leaves, np.maximum(excess, 0.0), 0.0),
            np.where(leaves, self._leaves.weights(len(leaves)), 0.0),
            self._groups.breakdowns(group),
        )


def _number(value: np.float32) -> float:
    """Return a column's number without the digits that its type made up."""
    return float(f"{value:.7g}") if math.isfinite(value) else math.nan
