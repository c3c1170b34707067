"""The model: what it watches, how much it has seen, and its budget against its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.config.anomalies import AUTOMATIC
from playwatch.core.listings import IncidentQuery
from playwatch.core.rules import AlertType
from playwatch.web.pages.site import Page
from playwatch_models.classes import MetricClass
from playwatch_models.detector import Evidence
from playwatch_models.registry import shipped_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from playwatch.core.learned import LearnedWatch
    from playwatch.ports import Clock, Store
    from playwatch.runtime.readings import Readings
    from playwatch.web.pages.site import Site

_WEEK_MS: Final = 7 * 86_400_000
_COUNTED: Final = 2_000
_DAY_S: Final = 86_400


class ModelPage:
    """What the engine has learned, rule by rule."""

    def __init__(self, store: Store, readings: Readings, clock: Clock) -> None:
        self._store = store
        self._readings = readings
        self._clock = clock

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the page to an application."""
        site.get(app, "/model", self.look)

    async def look(self, request: web.Request) -> Page:
        """Show every learned rule."""
        del request
        query = IncidentQuery(
            alert_type=AlertType.ANOMALY,
            begin_at=self._clock.wall_ms() - _WEEK_MS,
            limit=_COUNTED,
        )
        recent = await self._store.incidents(query)
        told = [one for one in recent if not one.related_to]
        watches = self._readings.learned()
        rows = [
            {**_seen(watch), "pages": sum(one.rule == watch.rule.name for one in told)}
            for watch in watches
            if not _waits(watch)
        ]
        waiting = [watch.rule.metric for watch in watches if _waits(watch)]
        facts = {"rows": rows, "waiting": waiting, "trained_on": _trained_on(watches)}
        return Page("model.html.j2", "Model", facts)


def _trained_on(watches: Sequence[LearnedWatch]) -> int:
    """Return how many series the forest at work was trained on; 0 where none is at work."""
    if all(watch.kind is MetricClass.RATIO for watch in watches):
        return 0
    model = shipped_model()
    return 0 if model is None else len(model.fold_of)


def _waits(watch: LearnedWatch) -> bool:
    """Return whether it is a rule that nobody wrote, of a metric that nobody has sent."""
    return not len(watch.groups) and watch.rule.name.startswith(AUTOMATIC)


def _seen(watch: LearnedWatch) -> dict[str, object]:
    """Return what a learned rule has seen of its groups."""
    rows = watch.groups.live
    count = len(rows)
    intervals, evidence = watch.facts.intervals[rows], watch.facts.evidence[rows]
    is_heard = intervals > 0
    few = int(((evidence == Evidence.FEW_VIEWS) & is_heard).sum())
    learning = int(((evidence == Evidence.LEARNING) | ~is_heard).sum())
    per_day = _DAY_S / watch.rule.window_s
    return {
        "rule": watch.rule,
        "groups": count,
        "typical": float(np.median(intervals)) if count else 0.0,
        "days": float(intervals.max()) / per_day if count else 0.0,
        "judged": count - few - learning,
        "learning": learning,
        "few": few,
        "budget_per_week": watch.condition.budget_per_week,
        "pool": watch.condition.pool,
        "level": watch.level,
    }
