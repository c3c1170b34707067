"""What programs ask: every part of the API, made of what the pages are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.runtime.series_index import SeriesIndex
from playwatch.web.api import Api
from playwatch.web.incident_api import IncidentApi
from playwatch.web.model_api import ModelApi
from playwatch.web.mux import MuxIncidents
from playwatch.web.openapi import OpenApi
from playwatch.web.rule_api import RuleApi
from playwatch.web.series_api import SeriesApi
from playwatch.web.status_api import StatusApi

if TYPE_CHECKING:
    from playwatch.web.pages.house import Pages
    from playwatch.web.server import Part


def machine_parts(house: Pages, *, can_reload: bool) -> list[Part]:
    """Return the parts that look at incidents, rules and silences, and change them."""
    reload = house.reloader.reload if can_reload else None
    index = SeriesIndex(house.evaluator)
    return [
        Api(house.desk, reload, house.clock),
        IncidentApi(house.store),
        RuleApi(house.readings),
        ModelApi(house.store, house.evaluator, house.clock),
        SeriesApi(index, house.evaluator, house.history, house.clock),
        StatusApi(house),
        MuxIncidents(house.store, house.clock),
        OpenApi(),
    ]
