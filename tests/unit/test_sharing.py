"""A page that many watch: made once for all, and never sent when it is old or went wrong."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from playwatch.web.pages.sharing import FRESH_MS, SharedPages
from tests.fakes import HandClock, settle


class Kitchen:
    """Makes pages, one at a time, when it is told to."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.news = 1
        self.made = 0
        self.status = 200
        self.may_go = asyncio.Event()
        self.pages = SharedPages(lambda: self.news, self.clock)

    async def asked(self, key: str = "incidents") -> str:
        """Return what one browser is sent."""
        body = await self.pages.body(key)
        if body is not None:
            return body.decode()
        response = await self.pages.make(key, self._make)
        assert isinstance(response, web.Response)
        assert isinstance(response.body, bytes)
        return response.body.decode()

    async def _make(self) -> web.StreamResponse:
        self.made += 1
        text = f"page {self.made}"
        await self.may_go.wait()
        return web.Response(text=text, status=self.status)


async def test_fifty_who_ask_at_once_are_sent_what_was_made_once() -> None:
    kitchen = Kitchen()
    asking = [asyncio.create_task(kitchen.asked()) for _ in range(50)]
    await settle()
    kitchen.may_go.set()

    assert {await one for one in asking} == {"page 1"}
    assert await kitchen.asked("rules") == "page 2"


async def test_a_page_is_made_anew_after_news_or_two_seconds() -> None:
    kitchen = Kitchen()
    kitchen.may_go.set()

    assert [await kitchen.asked(), await kitchen.asked()] == ["page 1", "page 1"]
    kitchen.news += 1
    assert [await kitchen.asked(), await kitchen.asked()] == ["page 2", "page 2"]
    await kitchen.clock.advance(FRESH_MS / 1000)
    assert [await kitchen.asked(), await kitchen.asked()] == ["page 3", "page 3"]


async def test_who_asks_after_news_does_not_wait_for_a_page_begun_before() -> None:
    kitchen = Kitchen()
    before = asyncio.create_task(kitchen.asked())
    await settle()
    kitchen.news += 1
    after = asyncio.create_task(kitchen.asked())
    await settle()
    kitchen.may_go.set()

    assert (await before, await after) == ("page 1", "page 2")
    assert await kitchen.asked() == "page 2"


async def test_what_went_wrong_is_shared_with_nobody() -> None:
    kitchen = Kitchen()
    kitchen.status = 503
    first, second = (asyncio.create_task(kitchen.asked()) for _ in range(2))
    await settle()
    kitchen.may_go.set()

    assert (await first, await second) == ("page 1", "page 2")
    kitchen.status = 200
    assert await kitchen.asked() == "page 3"


async def test_a_browser_that_leaves_takes_no_page_along() -> None:
    kitchen = Kitchen()
    maker = asyncio.create_task(kitchen.asked())
    await settle()
    waiting = [asyncio.create_task(kitchen.asked()) for _ in range(2)]
    await settle()
    waiting[0].cancel()
    maker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await maker
    kitchen.may_go.set()

    assert await waiting[1] == "page 2"


async def test_pages_of_many_addresses_do_not_pile_up() -> None:
    kitchen = Kitchen()
    kitchen.may_go.set()
    for number in range(1_000):
        await kitchen.asked(f"incidents?q={number}")

    assert len(kitchen.pages._makings) <= 64
