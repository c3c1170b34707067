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


def share_budgets(watches: Iterable[AnyWatch]) -> None:
    """Tell each learned rule how many groups its budget of false pages is for."""
    learned = [watch for watch in watches if isinstance(watch, LearnedWatch)]
    groups: Counter[str] = Counter()
    for watch in learned:
        groups[watch.condition.pool] += len(watch.groups)
    for watch in learned:
        pool = watch.condition.pool
        watch.fleet = groups[pool] if pool else len(watch.groups)
