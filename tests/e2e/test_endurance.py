"""An hour at the desk in a minute: rules edited and the engine killed under open incidents."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from playwatch.demo.stand_in import StandIn
from playwatch.ingest.publish import publish
from tests.brokers import Mosquitto, at_port, needs_mosquitto
from tests.processes import from_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SERIES = 60
EDITS = 20
KILLS = 5
PACE_S = 0.2
CONFIG = """\
mqtt: {{url: "mqtt://127.0.0.1:{broker}"}}
store: {{path: playwatch.db}}
web: {{listen: off}}
rules:
  - name: failures
    metric: playback_failure_percentage
    by: [video_title]
    window: 5s
    trigger: "> {limit}"
    for: {for_s}s
    resolve: "< 2"
    resolve_for: {resolve_for_s}s
channels:
  - name: oncall
    service: pagerduty
    integration_key: 0123456789abcdef0123456789abcdef
    url: {events}
    rate_limit: none
    self_alerts: false
"""


class Players:
    """Sixty titles whose players report for as long as the context lasts."""

    def __init__(self, port: int) -> None:
        self.value = 30.0
        self._mqtt = at_port(port)

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        ended = asyncio.Event()
        task = asyncio.create_task(self._play(ended))
        try:
            yield
        finally:
            ended.set()
            await task

    async def _play(self, ended: asyncio.Event) -> None:
        sample = {
            "metric": "playback_failure_percentage",
            "views": 100,
            "dimensions": [{"video_title": f"title {number}"} for number in range(SERIES)],
        }
        while not ended.is_set():
            message = json.dumps(sample | {"value": [self.value] * SERIES}).encode()
            await publish(self._mqtt, [("playwatch/samples/players", message)])
            try:
                await asyncio.wait_for(ended.wait(), PACE_S)
            except TimeoutError:
                continue


@needs_mosquitto
@pytest.mark.long
@pytest.mark.mosquitto
@pytest.mark.timeout(300)
async def test_twenty_edits_and_five_kills_open_and_close_each_incident_once(
    tmp_path: Path,
) -> None:
    dice = random.Random(3)  # noqa: S311 - no secret
    config = tmp_path / "playwatch.yaml"
    async with (
        Mosquitto(tmp_path) as broker,
        StandIn(rate_limit=None) as pagerduty,
        asyncio.timeout(240),
    ):

        def write(limit: int, for_s: int, resolve_for_s: int) -> None:
            config.write_text(
                CONFIG.format(
                    broker=broker.port,
                    events=pagerduty.url,
                    limit=limit,
                    for_s=for_s,
                    resolve_for_s=resolve_for_s,
                )
            )

        write(5, 1, 1)
        players, edits = Players(broker.port), iter(range(EDITS))
        async with players.playing():
            for life in range(KILLS):
                async with from_nothing("run", "-c", str(config)) as engine:
                    await engine.wait_to_say("subscribed")
                    await pagerduty.wait_for(lambda it: it.triggers >= SERIES)
                    for number in range(EDITS // KILLS):
                        next(edits)
                        limits = dice.choice([3, 5, 8, 12]), dice.choice([0, 1, 3]), number % 3 + 1
                        write(*limits)
                        engine.send(signal.SIGHUP)
                        await engine.wait_to_say(f"{SERIES} incidents kept", times=number + 1)
                    await engine.end(signal.SIGKILL)
                    assert "Traceback" not in engine.said, life
            assert (pagerduty.triggers, pagerduty.resolves) == (SERIES, 0)

            players.value = 0.5
            async with from_nothing("run", "-c", str(config)) as engine:
                await pagerduty.wait_for(lambda it: it.resolves >= SERIES)
                assert await engine.end() == 0

    assert (pagerduty.triggers, pagerduty.resolves) == (SERIES, SERIES)
    assert len(pagerduty.pages) == SERIES
    assert not pagerduty.open_keys
