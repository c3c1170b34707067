"""Faults 14 and 15 with the console script and a real broker: killed, and asked to stop.

The first is what Alertmanager fails: it is killed after the trigger, the
trouble ends while it is down, and the resolve is never sent.
"""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from playwatch.demo.stand_in import StandIn
from playwatch.ingest.publish import publish
from tests.brokers import Mosquitto, needs_mosquitto
from tests.delivering import holding
from tests.kit.channels import KEY
from tests.processes import Process, finished, from_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

pytestmark = [needs_mosquitto, pytest.mark.mosquitto]

CONFIG = """\
mqtt: {{url: "mqtt://127.0.0.1:{port}", subscriptions: [{{topic: "samples/#", qos: 1}}]}}
store: {{path: playwatch.db}}
web: {{listen: off}}
rules:
  - name: playback-failures
    metric: playback_failure_percentage
    window: 2s
    trigger: "> 5"
channels:
  - {{name: oncall, service: pagerduty, integration_key: "${{PAGERDUTY_KEY}}", url: "{url}"}}
"""


@dataclass
class Site:
    """A broker that keeps what comes while the engine is down, and a configuration."""

    config: Path
    broker: Mosquitto

    def page(self, url: str) -> None:
        self.config.write_text(CONFIG.format(port=self.broker.port, url=url))

    def engine(self) -> AbstractAsyncContextManager[Process]:
        return from_nothing("run", "-c", str(self.config), PAGERDUTY_KEY=KEY)

    async def publish(self, value: float, *ago_s: float) -> None:
        """Publish samples taken so long ago; a negative age moves the window on without a wait."""
        now_at = time.time() * 1000
        metric = {"metric": "playback_failure_percentage", "value": value, "views": 100}
        samples = [{**metric, "at": round(now_at - ago * 1000)} for ago in ago_s]
        await publish(
            self.broker.settings(), [("samples/site", json.dumps(one).encode()) for one in samples]
        )


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Mosquitto(tmp_path) as broker:
        yield Site(tmp_path / "playwatch.yaml", broker)


async def test_killed_after_the_trigger_and_well_again_when_it_is_back_sends_the_resolve(
    site: Site,
) -> None:
    async with StandIn() as server:
        site.page(server.url)
        async with site.engine() as engine:
            await engine.wait_to_say("subscribed")
            await site.publish(9, 0)
            await server.wait_for(lambda it: it.triggers == 1)
            assert await engine.end(signal.SIGKILL) == -signal.SIGKILL
        await site.publish(0.5, -2.5, -5, -7.5)  # while it is down; nothing comes after
        async with site.engine() as engine:
            await server.wait_for(lambda it: it.resolves == 1)
            assert await engine.end() == 0

        assert server.open_keys == set()
        assert len(server.pages) == 1


async def test_killed_before_the_trigger_could_be_sent_and_well_again_sends_both_in_order(
    site: Site,
) -> None:
    """What Alertmanager and Grafana drop: the outage is longer than the incident."""
    async with StandIn() as server:
        server.fail("status", status=503, times=None)
        site.page(server.url)
        async with site.engine() as engine:
            await engine.wait_to_say("subscribed")
            await site.publish(9, 0)
            await engine.wait_to_say("next try")
            await engine.end(signal.SIGKILL)
        await site.publish(0.5, -2.5, -5, -7.5)
        server.faults.clear()
        async with site.engine() as engine:
            await server.wait_for(lambda it: it.resolves == 1)
            await engine.end()

        told = [one.action for one in server.journal if one.status == 202]
        assert told == ["trigger", "resolve"]
        assert server.open_keys == set()


async def test_a_sigterm_waits_for_the_answer_in_flight_and_sends_nothing_twice(
    site: Site,
) -> None:
    async with holding() as (url, arrived, release):
        site.page(url)
        async with site.engine() as engine:
            await engine.wait_to_say("subscribed")
            await site.publish(9, 0)
            await arrived.wait()
            engine.send(signal.SIGTERM)
            await engine.wait_to_say("stopping")
            release.set()
            assert await engine.exit_code() == 0

    config = ("-c", str(site.config))
    _, listed = await finished("incident", "list", "--json", *config)
    (incident,) = json.loads(listed)
    _, shown = await finished("incident", "show", incident["id"], "--json", *config)
    (delivery,) = json.loads(shown)["deliveries"]
    assert delivery["status"] == "sent"
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["sent"]

    async with StandIn() as server:
        site.page(server.url)
        async with site.engine() as engine:
            await engine.wait_to_say("took over 1 open incident")
            await site.publish(0.5, -2.5, -5, -7.5)
            await server.wait_for(lambda it: it.resolves == 1)
            await engine.end()
        assert [one.action for one in server.journal] == ["resolve"]
