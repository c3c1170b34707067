"""The API for what the engine has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.core.listings import IncidentQuery
from playwatch.core.rules import AlertType
from playwatch.runtime.model_states import LOOKED_BACK_MS, rule_states
from playwatch.web.contract import answer
from playwatch.web.documents import moment
from playwatch.web.engine_documents import ModelDocument

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.ports import Clock, Store
    from playwatch.runtime.model_states import RuleState
    from playwatch.runtime.series_index import Knowing

_COUNTED: Final = 2_000
"""Anomalies of the last weeks that are looked at."""


class ModelApi:
    """The handler of ``/api/v1/models``."""

    def __init__(self, store: Store, engine: Knowing, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_get("/api/v1/models", self.all)

    async def all(self, _request: web.Request) -> web.StreamResponse:
        """Answer with every learned rule."""
        now_at = self._clock.wall_ms()
        query = IncidentQuery(
            alert_type=AlertType.ANOMALY, begin_at=now_at - LOOKED_BACK_MS, limit=_COUNTED
        )
        recent = await self._store.incidents(query)
        return answer([_model(one) for one in rule_states(self._engine.pipeline, recent, now_at)])


def _model(state: RuleState) -> ModelDocument:
    return ModelDocument(
        rule=state.rule,
        metric=state.metric,
        kind=state.kind,
        groupings=state.groupings,
        groups=state.groups,
        judged=state.judged,
        learning=state.learning,
        few_views=state.few_views,
        open=state.open,
        since_at=None if state.since_at is None else moment(state.since_at),
        judged_at=None if state.judged_at is None else moment(state.judged_at),
        budget_per_week=state.budget_per_week,
        level=state.level,
        pages=state.pages,
        pages_per_week=state.pages_per_week,
        why_not=state.why_not,
    )
