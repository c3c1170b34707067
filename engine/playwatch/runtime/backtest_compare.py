"""Compares what two rule sets would have done with the same inputs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.runtime.backtest import Backtest, Outcome

    Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Pair:
    """An incident that both would have had.

    Attributes
    ----------
    later_ms
        How much later B opens it; negative when earlier.
    longer_ms
        How much longer it lasts in B.
    """

    a: Outcome
    b: Outcome
    later_ms: int
    longer_ms: int

    @property
    def is_same(self) -> bool:
        """True when B opens it at the same moment, for as long, as severe, and pages as often."""
        return (
            not self.later_ms
            and not self.longer_ms
            and self.a.incident.severity is self.b.incident.severity
            and self.a.pages == self.b.pages
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """What B would have done otherwise than A."""

    only_a: tuple[Outcome, ...]
    only_b: tuple[Outcome, ...]
    changed: tuple[Pair, ...]
    same: int


def compare(a: Backtest, b: Backtest) -> Difference:
    """Return how B differs from A.

    Notes
    -----
    Two incidents are the same one when rule and group agree and their times
    overlap; each is paired at most once, the earliest first.
    """
    groups_a, groups_b = _by_group(a.outcomes), _by_group(b.outcomes)
    only_a: list[Outcome] = []
    only_b: list[Outcome] = []
    pairs: list[Pair] = []
    for key in {**groups_a, **groups_b}:
        waiting = list(groups_b.get(key, ()))
        for one in groups_a.get(key, ()):
            match = next((other for other in waiting if _overlap(one, a, other, b)), None)
            if match is None:
                only_a.append(one)
            else:
                waiting.remove(match)
                pairs.append(_pair(one, a, match, b))
        only_b += waiting
    return Difference(
        only_a=_sorted(only_a),
        only_b=_sorted(only_b),
        changed=tuple(
            sorted(
                (pair for pair in pairs if not pair.is_same),
                key=lambda pair: (pair.a.incident.opened_at, pair.a.incident.id),
            )
        ),
        same=sum(pair.is_same for pair in pairs),
    )


def _by_group(outcomes: Iterable[Outcome]) -> dict[Key, list[Outcome]]:
    found: dict[Key, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        found[one.incident.rule, tuple(sorted(one.incident.breakdowns))].append(one)
    return found


def _overlap(one: Outcome, a: Backtest, other: Outcome, b: Backtest) -> bool:
    return one.incident.started_at <= other.end_at(
        b.until_at
    ) and other.incident.started_at <= one.end_at(a.until_at)


def _pair(one: Outcome, a: Backtest, other: Outcome, b: Backtest) -> Pair:
    length_a = one.end_at(a.until_at) - one.incident.started_at
    length_b = other.end_at(b.until_at) - other.incident.started_at
    return Pair(one, other, other.incident.opened_at - one.incident.opened_at, length_b - length_a)


def _sorted(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    return tuple(sorted(outcomes, key=lambda one: (one.incident.opened_at, one.incident.id)))
