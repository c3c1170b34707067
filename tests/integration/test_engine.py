"""The whole engine in this process: a real broker, the real store, a PagerDuty stand-in."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from playwatch.app import running
from playwatch.cli.hands import channels_in
from playwatch.config.load import load_config
from playwatch.config.schema import MqttSettings
from playwatch.core.incidents import Status
from playwatch.core.listings import IncidentQuery
from playwatch.core.silences import Silence
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from playwatch.errors import ListenError, StoreLockedError
from playwatch.ingest.publish import publish
from playwatch.runtime.desk import StoreDesk
from playwatch.store.sqlite import SqliteStore
from tests.brokers import Mosquitto, free_port, needs_mosquitto
from tests.fakes import HandClock
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.app import Engine
    from playwatch.config.schema import Settings

KEY = "0123456789abcdef0123456789abcdef"
TOPIC = "playwatch/samples/site"
EMBEDDED = '{embedded: true, listen: "127.0.0.1:0"}'

CONFIG = """
mqtt: {mqtt}
store: {{path: playwatch.db}}
web: {{listen: "127.0.0.1:0"}}
limits: {{max_payload: 2KiB}}
rules:
  - name: playback-failures
    metric: playback_failure_percentage
    by: [country]
    window: 60s
    trigger: "> 5"
channels:
  - {{name: on-call, service: pagerduty, integration_key: {key}, url: "{url}"}}
"""


def settings_in(
    folder: Path, *, mqtt: str = EMBEDDED, url: str = "http://127.0.0.1:9/"
) -> Settings:
    """Return the settings of a configuration file in a folder."""
    path = folder / "playwatch.yaml"
    path.write_text(CONFIG.format(mqtt=mqtt, key=KEY, url=url))
    return load_config(path, environ={})


@asynccontextmanager
async def ready(
    settings: Settings, clock: HandClock, *, is_dry_run: bool = False
) -> AsyncIterator[Engine]:
    """Run an engine and wait until nothing keeps it from its work."""
    async with running(settings, clock=clock, is_dry_run=is_dry_run) as engine:
        await soon(lambda: not engine.health.complaints())
        yield engine


def sample(value: float, country: str = "SE", views: int = 100) -> tuple[str, bytes]:
    facts = {
        "metric": "playback_failure_percentage",
        "value": value,
        "views": views,
        "dimensions": {"country": country},
    }
    return TOPIC, json.dumps(facts).encode()


async def send(engine: Engine, *samples: tuple[str, bytes], waits_for: int | None = None) -> None:
    """Publish samples and wait until the engine has counted them, or so many of them."""
    before = received(engine)
    broker = MqttSettings.model_validate({"url": engine.broker_url, "protocol": "3.1.1"})
    await publish(broker, samples)
    expected = before + (len(samples) if waits_for is None else waits_for)
    await soon(lambda: received(engine) == expected)


def received(engine: Engine) -> float:
    name, labels = "playwatch_samples_received_total", {"codec": "native"}
    return engine.telemetry.registry.get_sample_value(name, labels) or 0.0


def incidents_of(engine: Engine) -> float:
    name, labels = "playwatch_incidents_opened_total", {"type": "threshold"}
    return engine.telemetry.registry.get_sample_value(name, labels) or 0.0


def sent_by(engine: Engine, channel: str = "on-call") -> float:
    name, labels = "playwatch_notifications_total", {"channel": channel, "result": "sent"}
    return engine.telemetry.registry.get_sample_value(name, labels) or 0.0


async def fetched(engine: Engine, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(engine.web_url + path) as response:
        return response.status, await response.text()


async def test_an_incident_opens_survives_a_restart_and_resolves(tmp_path: Path) -> None:
    clock = HandClock()
    async with StandIn() as server:
        settings = settings_in(tmp_path, url=server.url)
        async with ready(settings, clock) as engine:
            await send(engine, sample(9.0), sample(1.0, "DE"))
            await server.wait_for_events(1)
        (page,) = server.opened()

        await clock.advance(20)
        async with ready(settings, clock) as engine:
            await send(engine, sample(9.0), sample(1.0, "FR"))
            for _ in range(6):
                # What was measured while it was away is not known: not clear yet.
                assert server.requests == 1
                await send(engine, sample(0.0, views=1_000_000))
                await clock.advance(11)
            await send(engine, sample(0.0))
            await server.wait_for_events(2)

        assert [entry.effect for entry in server.journal] == [Effect.OPENED, Effect.RESOLVED]
        assert {entry.dedup_key for entry in server.journal} == {page.dedup_key}

    store = await SqliteStore.open(tmp_path / "playwatch.db", read_only=True)
    (incident,) = await store.incidents(IncidentQuery())
    await store.close()
    assert incident.status is Status.CLOSED


@pytest.mark.mosquitto
@needs_mosquitto
async def test_what_is_published_while_the_engine_is_down_is_judged_at_its_return(
    tmp_path: Path,
) -> None:
    clock = HandClock()
    async with Mosquitto(tmp_path) as broker, StandIn() as server:
        mqtt = f'{{url: "mqtt://127.0.0.1:{broker.port}"}}'
        settings = settings_in(tmp_path, mqtt=mqtt, url=server.url)
        async with ready(settings, clock) as engine:
            await send(engine, sample(9.0))
            await server.wait_for_events(1)
        await publish(broker.settings(), [sample(0.0, views=1_000_000), sample(9.0, "DE")])

        async with ready(settings, clock) as engine:
            await server.wait_for_events(3)
            assert received(engine) == 2

        assert len(server.pages) == 2
        assert len(server.open_keys) == 1
        assert server.count("resolve", Effect.RESOLVED) == 1


@pytest.mark.mosquitto
@needs_mosquitto
async def test_what_was_evaluated_before_a_stop_does_not_come_again(tmp_path: Path) -> None:
    clock = HandClock()
    async with Mosquitto(tmp_path) as broker:
        settings = settings_in(tmp_path, mqtt=f'{{url: "mqtt://127.0.0.1:{broker.port}"}}')
        async with ready(settings, clock) as engine:
            await send(engine, *[sample(1.0)] * 300)
        async with ready(settings, clock) as engine:
            # The broker sends what it kept before anything new.
            await publish(broker.settings(), [sample(1.0, "DE")])
            await soon(lambda: engine.telemetry.registry.get_sample_value("playwatch_series") == 2)

            assert received(engine) == 1


class FailingClock(HandClock):
    """Breaks a loop of the engine, as only a mistake of ours could."""

    is_broken = False

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.is_broken:
            raise ZeroDivisionError


async def test_a_mistake_of_ours_ends_the_engine_in_order(tmp_path: Path) -> None:
    clock = FailingClock()
    settings = settings_in(tmp_path)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - an engine is a context
            async with ready(settings, clock) as engine:
                clock.is_broken = True
                await clock.advance(1)
                await soon(lambda: engine.web_url == "never")
    assert caught.group_contains(ZeroDivisionError)

    async with ready(settings, HandClock()) as engine:
        assert engine.health.complaints() == []


async def test_a_second_engine_on_one_store_is_told_who_holds_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with ready(settings, HandClock()):
        with pytest.raises(StoreLockedError) as caught:
            async with running(settings):
                pytest.fail("two engines on one store")

    assert str(settings.store.path) in str(caught.value)
    assert f"process {os.getpid()} on {socket.gethostname()} since 2027-01-15" in str(caught.value)


@pytest.mark.parametrize("part", ["web", "mqtt"])
async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(
    tmp_path: Path, part: str
) -> None:
    settings = settings_in(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        section = getattr(settings, part).model_copy(update={"listen": address})
        with pytest.raises(ListenError, match=address):
            async with running(settings.model_copy(update={part: section})):
                pytest.fail("two servers on one port")

    async with ready(settings, HandClock()) as engine:
        assert await fetched(engine, "/-/healthy") == (200, "Playwatch is healthy.\n")


@pytest.mark.mosquitto
@needs_mosquitto
async def test_a_broker_that_is_away_is_waited_for(tmp_path: Path) -> None:
    clock = HandClock()
    port = free_port()
    settings = settings_in(tmp_path, mqtt=f'{{url: "mqtt://127.0.0.1:{port}"}}')
    async with running(settings, clock=clock) as engine:
        await soon(lambda: engine.health.complaints() != [])
        await soon(lambda: "not subscribed yet" not in engine.health.complaints()[0])
        status, text = await fetched(engine, "/-/ready")
        assert status == 503
        assert text.startswith(f"Playwatch is not ready.\nmqtt://127.0.0.1:{port}: ")
        assert (await fetched(engine, "/-/healthy"))[0] == 200

        async with Mosquitto(tmp_path, port=port):
            async with asyncio.timeout(PATIENCE_S):
                while engine.health.complaints():
                    await clock.advance(30)
                    await asyncio.sleep(0.005)
            assert await fetched(engine, "/-/ready") == (200, "Playwatch is ready.\n")
            await send(engine, sample(1.0))
        await soon(engine.health.complaints)
        assert (await fetched(engine, "/-/ready"))[0] == 503


async def test_every_sample_is_in_the_metrics(tmp_path: Path) -> None:
    async with ready(settings_in(tmp_path), HandClock()) as engine:
        await send(engine, *(sample(1.0, country) for country in ("SE", "DE", "FR") * 10))
        await send(engine, sample(101.0))
        await send(engine, (TOPIC, b"[" + sample(1.0)[1].ljust(2_048)), sample(1.0), waits_for=1)
        status, text = await fetched(engine, "/metrics")

    assert status == 200
    lines = text.splitlines()
    counted = [line for line in lines if line.startswith("playwatch_samples_received_total")]
    assert counted == ['playwatch_samples_received_total{codec="native"} 32.0']
    assert 'playwatch_samples_rejected_total{reason="out_of_range"} 1.0' in lines
    assert 'playwatch_samples_rejected_total{reason="too_large"} 1.0' in lines
    assert "playwatch_series 3.0" in lines
    assert 'playwatch_incidents_open{type="threshold"} 0.0' in lines
    assert 'playwatch_channel_misconfigured{channel="on-call"} 0.0' in lines


async def test_a_wrong_key_shows_in_readiness_and_never_itself(tmp_path: Path) -> None:
    async with StandIn() as server:
        server.fail("status", status=401, times=None)
        async with ready(settings_in(tmp_path, url=server.url), HandClock()) as engine:
            await send(engine, sample(9.0))
            await soon(engine.health.complaints)
            status, text = await fetched(engine, "/-/ready")

            assert status == 503
            assert "channel on-call: " in text
            assert "wrong integration key" in text
            assert KEY not in text + (await fetched(engine, "/metrics"))[1]


async def test_a_dry_run_says_what_it_would_send_sends_nothing_and_stores_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with StandIn() as server:
        settings = settings_in(tmp_path, url=server.url)
        async with ready(settings, HandClock(), is_dry_run=True) as engine:
            await send(engine, sample(9.0))
            await send(engine, sample(0.0, views=1_000_000))
            await soon(lambda: sent_by(engine) == 2)
        assert server.requests == 0

    assert os.listdir(tmp_path) == ["playwatch.yaml"]  # noqa: PTH208 - the loop serves nobody
    trigger, resolve = capsys.readouterr().out.splitlines()
    assert trigger.startswith("would send trigger to on-call: critical playback-failures")
    assert resolve.startswith("would send resolve to on-call: critical playback-failures")


@pytest.mark.parametrize("is_silenced", [False, True])
async def test_a_dry_run_knows_the_channels_and_silences_that_people_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, is_silenced: bool
) -> None:
    clock = HandClock()
    async with StandIn() as server:
        settings = settings_in(tmp_path, url=server.url)
        store = await SqliteStore.open(settings.store.path)
        desk = channels_in(settings, store)
        await desk.add({"name": "night", "service": "console"}, "ann")
        if is_silenced:
            until = clock.wall_ms() + 60_000
            await store.add_silence(Silence("s", (), clock.wall_ms(), until, "ann"))
        await store.close()
        kept = settings.store.path.read_bytes()

        async with ready(settings, clock, is_dry_run=True) as engine:
            await send(engine, sample(9.0))
            await soon(lambda: incidents_of(engine) == 1)
            if not is_silenced:
                await soon(lambda: sent_by(engine) + sent_by(engine, "night") == 2)
        assert settings.store.path.read_bytes() == kept
    told = ["would send trigger to night", "would send trigger to on-call"]
    said = sorted(line.partition(":")[0] for line in capsys.readouterr().out.splitlines())
    assert said == ([] if is_silenced else told)


@pytest.mark.mosquitto
@needs_mosquitto
async def test_a_dry_run_beside_a_running_engine_takes_nothing_from_it(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, StandIn() as server:
        mqtt = f'{{url: "mqtt://127.0.0.1:{broker.port}", client_id: the-engine}}'
        settings = settings_in(tmp_path, mqtt=mqtt, url=server.url)
        async with (
            ready(settings, HandClock()) as engine,
            ready(settings, HandClock(), is_dry_run=True) as dry,
        ):
            await send(engine, sample(9.0))
            await server.wait_for_events(1)
            await soon(lambda: received(dry) == 1)

            assert engine.health.complaints() == []
            assert server.requests == 1


async def test_a_channel_that_moved_meanwhile_ends_what_it_opened_where_it_did(
    tmp_path: Path,
) -> None:
    async with StandIn() as here, StandIn() as there:
        settings = settings_in(tmp_path, url=here.url)
        async with ready(settings, HandClock()) as engine:
            await send(engine, sample(9.0))
            await here.wait_for_events(1)
        path = tmp_path / "playwatch.yaml"
        path.write_text(path.read_text().replace(KEY, KEY[::-1]).replace(here.url, there.url))
        store = await SqliteStore.open(settings.store.path)
        (incident,) = await store.open_incidents()
        await StoreDesk(store, HandClock()).resolve(incident.id, "ann")
        await store.close()
        async with ready(load_config(path, environ={}), HandClock()):
            await here.wait_for(lambda it: it.resolves == 1)
        assert here.open_keys == set()
        assert there.requests == 0


async def test_a_stop_leaves_no_task_and_lets_the_answer_in_flight_come_in(
    tmp_path: Path,
) -> None:
    before = asyncio.all_tasks()
    clock = HandClock()
    async with StandIn() as server:
        settings = settings_in(tmp_path, url=server.url)
        async with ready(settings, clock) as engine:
            await send(engine, *(sample(9.0, f"C{number}") for number in range(50)))
        assert len(server.pages) in range(51)
        async with ready(settings, clock) as engine:
            await server.wait_for(lambda it: len(it.pages) == 50)

        assert server.requests == 50
    await soon(lambda: asyncio.all_tasks() == before)


async def test_a_page_links_to_its_incident_where_people_open_the_engine(tmp_path: Path) -> None:
    async with StandIn() as server:
        settings = settings_in(tmp_path, url=server.url)
        web = settings.web.model_copy(update={"url": "https://playwatch.example.com/ops/"})
        async with running(settings.model_copy(update={"web": web}), clock=HandClock()) as engine:
            await soon(lambda: not engine.health.complaints())
            await send(engine, sample(9.0))
            await server.wait_for_events(1)
        event: Any = server.journal[0].event
    incident_id = event["dedup_key"].rpartition("/")[2]
    assert event["client_url"] == f"https://playwatch.example.com/ops/incidents/{incident_id}"
