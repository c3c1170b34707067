"""A dead-man's switch: told while all is well, and by silence when it is not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from playwatch.app import running
from playwatch.config.heartbeat import HeartbeatSettings
from playwatch.config.load import load_config
from playwatch.demo.listener import Listener
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.heartbeat import Heartbeat
from playwatch.telemetry import Telemetry
from tests.fakes import HandClock
from tests.integration.test_engine import KEY, sample, send
from tests.integration.test_reload import CHANNELS, HEAD, RULES
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.app import Engine

TOKEN_PATH = "/ping/SECRETtokenOfTheSwitch"  # noqa: S105 - it opens nothing


class Switch:
    """A dead-man's switch that counts what it is told."""

    def __init__(self) -> None:
        self.beats = 0
        self.status = 200
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        assert await request.json() == {"status": "ok"}
        self.beats += 1
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    switch, app = Switch(), web.Application()
    app.router.add_post(TOKEN_PATH, switch.hear)
    listener = Listener("a dead-man's switch", app, 10)
    port = await listener.start("127.0.0.1", 0)
    switch.url = f"http://127.0.0.1:{port}{TOKEN_PATH}"
    yield switch
    await listener.close()


@asynccontextmanager
async def engine_with(
    folder: Path, switch: Switch, server: StandIn
) -> AsyncIterator[tuple[Engine, HandClock]]:
    path = folder / "playwatch.yaml"
    path.write_text(
        HEAD.format(token="")
        + RULES
        + CHANNELS.format(key=KEY, url=server.url)
        + f"heartbeat: {{url: '{switch.url}', every: 30s}}\n"
    )
    clock = HandClock()
    async with running(load_config(path, environ={}), clock=clock) as engine:
        await soon(lambda: not engine.health.complaints())
        yield engine, clock


def counted(engine: Engine, result: str) -> float:
    name = "playwatch_heartbeats_total"
    return engine.telemetry.registry.get_sample_value(name, {"result": result}) or 0.0


async def test_it_beats_while_all_is_well_and_not_while_a_channel_is_broken(
    tmp_path: Path, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    async with StandIn() as server, engine_with(tmp_path, switch, server) as (engine, clock):
        await clock.advance(30)
        await soon(lambda: switch.beats >= 1)
        for _ in range(2):
            before = switch.beats
            await clock.advance(30)
            await soon(lambda before=before: switch.beats == before + 1)  # type: ignore[misc]

        server.fail("status", status=403, times=None)
        await send(engine, sample(9.0))
        await soon(engine.health.complaints)
        before = switch.beats
        withheld = counted(engine, "withheld")
        await clock.advance(30)
        await soon(lambda: counted(engine, "withheld") == withheld + 1)
        assert switch.beats == before

        server.faults.clear()
        await clock.advance(60)
        await soon(lambda: not engine.health.complaints())
        await clock.advance(30)
        await soon(lambda: switch.beats > before)
    assert "no heartbeat: channel on-call" in caplog.text
    assert "the heartbeat goes out again" in caplog.text
    assert "SECRETtoken" not in caplog.text


class Evaluation:
    """What a heartbeat needs of an evaluator, which a test can hold in its step."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        async with self.turn:
            yield


async def test_an_evaluation_that_is_stuck_or_a_switch_that_refuses_is_no_beat(
    switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, telemetry, evaluation = HandClock(), Telemetry(), Evaluation()
    settings = HeartbeatSettings.model_validate({"url": switch.url, "every": "10s"})
    beat = Heartbeat(settings, list, evaluation.paused, clock, telemetry, stuck_s=0.02)
    task = asyncio.create_task(beat.run())

    def total(result: str) -> float:
        name = "playwatch_heartbeats_total"
        return telemetry.registry.get_sample_value(name, {"result": result}) or 0.0

    await soon(lambda: total("sent") == 1)
    async with evaluation.turn:
        await clock.advance(10)
        await soon(lambda: total("withheld") == 1)
    for status in (302, 404, 500):
        switch.status = status
        failed = total("failed")
        await clock.advance(10)
        await soon(lambda failed=failed: total("failed") == failed + 1)  # type: ignore[misc]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert switch.beats == 4
    assert "has not ended for 0.02 s" in caplog.text
    assert "answered 404" in caplog.text
