"""Every store that there is, for the promises that each of them keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.stores import STORES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.ports import Store


@pytest.fixture(params=sorted(STORES))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with STORES[request.param](tmp_path) as opened:
        yield opened
