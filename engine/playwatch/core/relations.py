"""Relations: incidents with one cause, of which one tells people.

Groups of one rule are related by where their excess lies, and say so themselves
when they open. Here incidents of several rules are: two metrics of one scope
that become anomalous within minutes have one cause, as far as anyone on call is
concerned. A related incident opens, resolves and is recorded like any other,
but nobody is paged for it while the other one is open, nor shortly after: it
should end with it. When it goes on without it, it is told after all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from playwatch.core.incidents import Change
from playwatch.core.learned import LearnedWatch
from playwatch.core.rules import AlertType

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from playwatch.core.casebook import Turn
    from playwatch.core.incidents import Incident
    from playwatch.core.watching import AnyWatch

TOGETHER_MS: Final = 600_000
"""How far apart two incidents may open and have one cause."""
GRACE_MS: Final = 600_000
"""How long a related incident may outlast the one that told of it."""


class Relations:
    """Knows which incidents tell of a cause, and which are told of by them."""

    def __init__(self) -> None:
        self._heads: dict[str, Incident] = {}
        self._over_at: dict[str, int] = {}
        self._told_by: dict[str, str] = {}
        self._alone: set[str] = set()

    def adopt(self, watches: Iterable[AnyWatch], at: int) -> None:
        """Take over the incidents that are open at a start."""
        learning = [watch for watch in watches if isinstance(watch, LearnedWatch)]
        listed = [one for watch in learning for one in watch.open.values()]
        self._heads.update({one.id: one for one in listed if not one.related_to})
        for one in listed:
            if one.related_to and one.related_to not in self._heads:
                self._over_at.setdefault(one.related_to, at)
        for head in self._over_at:
            _outlive(head, learning)

    def relate(self, turns: Sequence[Turn], watches: Iterable[AnyWatch], at: int) -> list[Turn]:
        """Return the turns, openings with the incident of another rule that tells of them."""
        related: list[Turn] = []
        for change, incident in turns:
            one = incident
            if change is Change.OPENED and one.alert_type is AlertType.ANOMALY:
                head = self._told_by.get(one.related_to, one.related_to) or self._head_of(one)
                if head != one.related_to:
                    one = replace(one, related_to=head)
                    self._told_by[one.id] = head
                    _put(one, watches)
                elif not head:
                    self._heads[one.id] = one
            elif not one.is_open:
                self._told_by.pop(one.id, None)
                self._alone.discard(one.id)
                if self._heads.pop(one.id, None) is not None:
                    self._over_at[one.id] = at
                    _outlive(one.id, watches)
            related.append((change, one))
        if self._heads or self._over_at:
            learning = [watch for watch in watches if isinstance(watch, LearnedWatch)]
            self._let_go(learning, at)
        return related

    def reason_to_wait(self, incident: Incident) -> str | None:
        """Return why nobody is told of an incident yet; None when they are to be."""
        head = incident.related_to
        if incident.id not in self._alone and (head in self._heads or head in self._over_at):
            return f"the same cause as incident {head}"
        return None

    def _let_go(self, learning: Sequence[LearnedWatch], at: int) -> None:
        """Find the incidents with a cause of their own, and those that go on without their head."""
        for watch in learning:
            apart = watch.openings.apart
            self._stand_alone(one for one in watch.open.values() if one.id in apart)
        for head in [one for one, over in self._over_at.items() if at - over >= GRACE_MS]:
            kin = [
                (watch, group, one)
                for watch in learning
                for group, one in watch.open.items()
                if one.related_to == head and one.id not in self._alone
            ]
            for watch, group, one in kin:
                if watch.goes_on(group):
                    self._stand_alone([one])
            if not kin:
                del self._over_at[head]

    def _stand_alone(self, incidents: Iterable[Incident]) -> None:
        """Let incidents that belonged to another one tell of a cause themselves."""
        for one in incidents:
            if one.id not in self._alone:
                self._alone.add(one.id)
                self._heads[one.id] = one

    def _head_of(self, incident: Incident) -> str:
        """Return the incident of another rule that tells of this one; empty for none."""
        scope = set(incident.breakdowns)
        for head in self._heads.values():
            other = set(head.breakdowns)
            is_near = abs(incident.opened_at - head.opened_at) <= TOGETHER_MS
            if is_near and head.rule != incident.rule and (scope <= other or other <= scope):
                return head.id
        return ""


def _outlive(head: str, watches: Iterable[AnyWatch]) -> None:
    """Let the rules know that an incident is over which told of others."""
    for watch in watches:
        if isinstance(watch, LearnedWatch):
            watch.openings.outlive(head)


def _put(incident: Incident, watches: Iterable[AnyWatch]) -> None:
    """Let the rule of an incident go on with it as it stands now."""
    for watch in watches:
        if watch.rule.name == incident.rule:
            for group, one in watch.open.items():
                if one.id == incident.id:
                    watch.open[group] = incident
                    return
