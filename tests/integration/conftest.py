"""What parts are put together from: a clock, each store, a receiver, a site that pages it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playwatch.demo.stand_in import StandIn
from tests.fakes import HandClock
from tests.integration.test_reload import Site
from tests.kit.conftest import store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["clock", "server", "site", "store"]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    async with StandIn() as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: StandIn) -> Site:
    return Site(tmp_path, server.url)
