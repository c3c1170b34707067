"""Watching: which kind of watch a rule needs, and how those that learn share a budget."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from playwatch.core.learned import LearnedWatch
from playwatch.core.rules import Anomaly
from playwatch.core.series import NEVER
from playwatch.core.watches import Watch
from playwatch_models.registry import open_detector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.learned import OpenDetector
    from playwatch.core.metrics import Catalogue
    from playwatch.core.rules import Rule

AnyWatch = Watch | LearnedWatch
"""One rule at work."""


def watch_of(
    rule: Rule,
    catalogue: Catalogue,
    installation: str,
    counts_after: int = NEVER,
    opens: OpenDetector = open_detector,
) -> AnyWatch:
    """Return a rule at work.

    Parameters
    ----------
    opens
        Makes the detectors of learned rules.

    Raises
    ------
    ValueError
        If its metric is not in the catalogue.
    """
    if isinstance(rule.condition, Anomaly):
        return LearnedWatch(rule, catalogue, installation, opens)
    return Watch(rule, catalogue, installation, counts_after)


def pooled(watches: Iterable[AnyWatch]) -> list[LearnedWatch]:
    """Return the learned rules that share a budget with others."""
    return [one for one in watches if isinstance(one, LearnedWatch) and one.condition.pool]


def share_budgets(watches: Iterable[LearnedWatch]) -> None:
    """Give each learned rule of a pool its part of the budget, by its groups."""
    watches = list(watches)
    groups: Counter[str] = Counter()
    for watch in watches:
        groups[watch.condition.pool] += len(watch.groups)
    for watch in watches:
        watch.share(len(watch.groups) / max(groups[watch.condition.pool], 1))
