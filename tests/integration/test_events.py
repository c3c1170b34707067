"""Server-sent events of a running engine."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from playwatch.runtime.news import LISTENERS, LOOK_S, News
from playwatch.web.events import EventStream
from playwatch.web.failures import in_words
from tests.fakes import HandClock
from tests.integration.test_engine import ready, settings_in
from tests.integration.test_pages import opened, page
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.app import Engine


@pytest.fixture
async def engine(tmp_path: Path, clock: HandClock) -> AsyncIterator[Engine]:
    async with ready(settings_in(tmp_path), clock) as engine:
        yield engine


@asynccontextmanager
async def listening(url: str, since: str = "") -> AsyncIterator[aiohttp.StreamReader]:
    headers = {"Last-Event-ID": since} if since else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/events", headers=headers) as response,
    ):
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert await block(response.content) == ["retry: 2000"]
        yield response.content


async def block(stream: aiohttp.StreamReader) -> list[str]:
    """Return the lines of the next event or comment."""
    async with asyncio.timeout(PATIENCE_S):
        text = await stream.readuntil(b"\n\n")
    return text.decode().strip().splitlines()


async def test_an_incident_is_heard_of_and_so_is_one_that_was_missed(
    engine: Engine, clock: HandClock
) -> None:
    async with listening(engine.web_url) as stream:
        await opened(engine)
        await clock.advance(LOOK_S)
        while (lines := await block(stream))[1] != "event: incident":
            pass
        mark = lines[0].removeprefix("id: ")
    await opened(engine, "DE")
    await clock.advance(LOOK_S)
    async with listening(engine.web_url, mark) as stream:
        while (lines := await block(stream))[1] != "event: incident":
            pass
    async with listening(engine.web_url, "of-another-engine-7") as stream:
        assert (await block(stream))[1] == "event: reset"


async def test_a_stop_does_not_wait_for_those_who_listen(tmp_path: Path) -> None:
    async with ready(settings_in(tmp_path), HandClock()) as engine:
        session = aiohttp.ClientSession()
        response = await session.get(f"{engine.web_url}/events")
    async with asyncio.timeout(PATIENCE_S):
        await response.content.read()
    await session.close()


async def test_a_silent_stream_says_that_it_is_there() -> None:
    app = web.Application(middlewares=[in_words])
    EventStream(News(list, HandClock()), heartbeat_s=0.01).add_to(app)
    async with TestServer(app) as server, listening(str(server.make_url("")).rstrip("/")) as stream:
        assert await block(stream) == [": still here"]
        assert await block(stream) == [": still here"]


async def test_one_too_many_is_told_so() -> None:
    app = web.Application(middlewares=[in_words])
    news = News(list, HandClock())
    EventStream(news).add_to(app)
    contexts = [news.listening() for _ in range(LISTENERS)]
    for context in contexts:
        context.__enter__()
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/events")) as response,
    ):
        assert response.status == 503


async def test_who_watches_the_same_page_is_sent_the_same_text_until_something_changes(
    engine: Engine, clock: HandClock
) -> None:
    live = {"X-Live": "1"}
    _, first = await page(engine, "/incidents", **live)
    await opened(engine)
    assert (await page(engine, "/incidents", **live))[1] == first
    assert (await page(engine, "/incidents"))[1] != first
    await clock.advance(LOOK_S)
    assert (await page(engine, "/incidents", **live))[1] != first
