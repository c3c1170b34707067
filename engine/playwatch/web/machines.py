"""What programs ask: every part of the API, made of what the pages are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.web.api import Api
from playwatch.web.mux import MuxIncidents

if TYPE_CHECKING:
    from playwatch.web.pages.house import Pages
    from playwatch.web.server import Part


def machine_parts(house: Pages, *, can_reload: bool) -> list[Part]:
    """Return the parts that look at incidents, rules and silences, and change them."""
    reload = house.reloader.reload if can_reload else None
    return [Api(house.desk, reload, house.clock), MuxIncidents(house.store, house.clock)]
