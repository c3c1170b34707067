"""Self-alerts of a whole engine: a real broker, the real store, a PagerDuty stand-in."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwatch.app import running
from playwatch.config.load import load_config
from playwatch.config.schema import MqttSettings
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from playwatch.ingest.publish import publish
from tests.fakes import HandClock
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.app import Engine

KEYS = ("0123456789abcdef0123456789abcdef", "abcdef0123456789abcdef0123456789")
CONFIG = """
mqtt:
  embedded: true
  listen: "127.0.0.1:0"
  subscriptions: [{{topic: "samples/#", quiet_after: 30s}}]
web: {{listen: off}}
rules:
  - {{name: failures, metric: playback_failure_percentage, trigger: "> 5"}}
channels:
  - {{name: broken, service: pagerduty, integration_key: {keys[1]}, url: "{url}/not-here",
     self_alerts: {is_broken_told}}}
  - {{name: on-call, service: pagerduty, integration_key: {keys[0]}, url: "{url}"}}
"""


class Night:
    """An engine with its stand-in, started as often as a test likes."""

    def __init__(self, folder: Path, server: StandIn, *, is_broken_told: str = "false") -> None:
        self.clock = HandClock()
        path = folder / "playwatch.yaml"
        path.write_text(CONFIG.format(keys=KEYS, url=server.url, is_broken_told=is_broken_told))
        self.settings = load_config(path, environ={})

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        async with running(self.settings, clock=self.clock) as engine:
            await soon(lambda: not engine.health.complaints())
            await self.clock.advance(1)
            yield engine

    async def speak(self, engine: Engine, *sources: str, value: float = 0.0) -> None:
        """Publish a sample of each source and wait until the engine has counted them."""

        def received() -> float:
            name, labels = "playwatch_samples_received_total", {"codec": "native"}
            return engine.telemetry.registry.get_sample_value(name, labels) or 0.0

        sample = {"metric": "playback_failure_percentage", "value": value, "views": 100}
        expected = received() + len(sources)
        broker = MqttSettings.model_validate({"url": engine.broker_url, "protocol": "3.1.1"})
        messages = [("samples/x", json.dumps(sample | {"source": one}).encode()) for one in sources]
        await publish(broker, messages)
        await soon(lambda: received() == expected)


async def test_a_source_that_stops_pages_and_resolves_over_a_restart(tmp_path: Path) -> None:
    async with StandIn() as server:
        night = Night(tmp_path, server)
        async with night.engine() as engine:
            await night.speak(engine, "edge-1", "edge-2")
            await night.clock.advance(20)
            await night.speak(engine, "edge-2")
            await night.clock.advance(12)
            await server.wait_for_events(1)
            for name in ("playwatch_incidents_open", "playwatch_incidents_opened_total"):
                assert engine.telemetry.registry.get_sample_value(name, {"type": "engine"}) == 1
        (page,) = server.opened()
        assert page.summary == "Source edge-1 has been silent for 31s (quiet_after is 30s)"

        async with night.engine() as engine:
            for _ in range(5):
                await night.speak(engine, "edge-1", "edge-2")
                await night.clock.advance(20)
            await server.wait_for_events(2)

        assert [entry.effect for entry in server.journal] == [Effect.OPENED, Effect.RESOLVED]
        assert {entry.dedup_key for entry in server.journal} == {page.dedup_key}


async def test_a_channel_that_needs_the_operator_is_told_of_at_the_other_one(
    tmp_path: Path,
) -> None:
    async with StandIn() as server:
        night = Night(tmp_path, server, is_broken_told="true")
        async with night.engine() as engine:
            await night.speak(engine, "edge-1", value=9.0)
            await soon(lambda: any("broken" in each for each in engine.health.complaints()))
            await night.clock.advance(2)
            await server.wait_for_events(2)

        said = [page.summary for page in server.opened()]
        assert [each.startswith("Channel broken delivers nothing") for each in said].count(
            True
        ) == 1
        assert len(said) == 2
