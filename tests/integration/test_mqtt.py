"""What the MQTT source takes from a real mosquitto."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from playwatch.ingest.publish import Publisher, publish
from playwatch.telemetry import Telemetry
from tests.brokers import (
    PROTOCOLS,
    TOPIC,
    Mosquitto,
    build,
    needs_mosquitto,
    numbered,
    payloads,
    read,
    running,
    subscribing,
)
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.ports import Arrivals

pytestmark = [pytest.mark.mosquitto, needs_mosquitto]


@PROTOCOLS
@pytest.mark.parametrize("qos", [0, 1])
async def test_messages_arrive_in_order_and_whole(tmp_path: Path, protocol: str, qos: int) -> None:
    async with Mosquitto(tmp_path) as broker:
        telemetry = Telemetry()
        settings = broker.settings(protocol=protocol, **subscribing(qos))
        async with running(build(settings, telemetry=telemetry)) as source:
            assert await publish(broker.settings(), numbered(3000), 1) == 3000
            messages = await read(source, 3000)

            assert payloads(messages) == [payload for _, payload in numbered(3000)]
            assert (messages[0].topic, messages[0].codec) == (TOPIC, "native")
            exposition = telemetry.exposition().decode()
            name = f'{{source="mqtt://127.0.0.1:{broker.port}"}}'
            assert f"playwatch_messages_received_total{name} 3000.0" in exposition
            assert f"playwatch_mqtt_connected{name} 1.0" in exposition


@PROTOCOLS
async def test_only_what_was_not_acknowledged_comes_again(tmp_path: Path, protocol: str) -> None:
    async with Mosquitto(tmp_path) as broker:
        settings = broker.settings(protocol=protocol)
        async with running(build(settings)) as source:
            await publish(broker.settings(), numbered(5))
            await read(source, 5)
            await publish(broker.settings(), numbered(5, first=5))
            await read(source, 5, acknowledge=False)
        async with running(build(settings)) as source:
            await publish(broker.settings(), numbered(1, first=10))

            again = payloads(await read(source, 6))

    assert again == [payload for _, payload in numbered(6, first=5)]


async def test_messages_sent_while_the_engine_is_down_arrive_at_its_return(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        async with running(build(broker.settings())):
            pass
        await publish(broker.settings(), numbered(500))
        async with running(build(broker.settings())) as source:
            assert len(await read(source, 500)) == 500


async def test_what_one_read_brings_is_one_batch(tmp_path: Path) -> None:
    async with (
        Mosquitto(tmp_path) as broker,
        running(build(broker.settings(**subscribing(0)))) as source,
    ):
        await publish(broker.settings(), numbered(200))
        await soon(lambda: len(source._backlog) == 200)

        arrivals = await source.read()

    assert len(arrivals.messages) == 200


async def test_reading_waits_when_nothing_has_arrived(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, running(build(broker.settings())) as source:
        reading: asyncio.Task[Arrivals] = asyncio.create_task(source.read())
        await publish(broker.settings(), numbered(1))
        arrivals = await reading
        arrivals.acknowledge()
        again = asyncio.create_task(source.read())
        await asyncio.wait({again}, timeout=0.05)

        assert not again.done()
        again.cancel()


@PROTOCOLS
@pytest.mark.parametrize("qos", [0, 1])
async def test_retained_messages_are_counted_and_ignored(
    tmp_path: Path, protocol: str, qos: int
) -> None:
    async with Mosquitto(tmp_path) as broker:
        settings = broker.settings(protocol=protocol, **subscribing(qos))
        retain = await asyncio.create_subprocess_exec(
            *("mosquitto_pub", "-p", str(broker.port), "-t", TOPIC),
            *("-m", "old", "-r", "-q", str(qos)),
        )
        assert await retain.wait() == 0
        telemetry = Telemetry()
        async with running(build(settings, telemetry=telemetry)) as source:
            await publish(broker.settings(), numbered(1))
            messages = await read(source, 1)

    assert payloads(messages) == [b"0"]
    assert 'playwatch_messages_retained_total{source="mqtt' in telemetry.exposition().decode()


@PROTOCOLS
@pytest.mark.parametrize("qos", [0, 1])
async def test_retained_keys_of_packed_samples_come_with_each_connection(
    tmp_path: Path, protocol: str, qos: int
) -> None:
    packed = {"topic": "playwatch/samples/#", "qos": qos, "codec": "packed"}
    async with Mosquitto(tmp_path) as broker:
        async with Publisher(broker.settings()) as publisher:
            await publisher.publish("playwatch/samples/keys/edge", b"keys", qos=1, retain=True)
        settings = broker.settings(protocol=protocol, subscriptions=[packed])
        for _ in range(2):  # the broker's session outlives the first one
            async with running(build(settings)) as source:
                (message,) = await read(source, 1)
                assert (message.payload, message.codec) == (b"keys", "packed_keys")


async def test_a_full_backlog_drops_and_counts_qos_0_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Mosquitto(tmp_path) as broker:
        telemetry = Telemetry()
        settings = broker.settings(backlog=10)
        async with running(build(settings, telemetry=telemetry)) as source:
            await publish(broker.settings(), numbered(30), 0)
            await publish(broker.settings(), numbered(5, first=30), 1)
            await soon(lambda: len(source._backlog) == 15)

            messages = await read(source, 15)

    assert payloads(messages[10:]) == [payload for _, payload in numbered(5, first=30)]
    counted = f'dropped_total{{reason="backlog_messages",source="{source.name}"}} 20.0'
    assert counted in telemetry.exposition().decode()
    said = [record.message for record in caplog.records if "dropped" in record.message]
    assert len(said) == 1
    assert said[0].startswith(f"{source.name}: 10 messages wait to be read")


async def test_an_engine_that_stands_still_does_not_hold_up_the_broker(tmp_path: Path) -> None:
    async with (
        Mosquitto(tmp_path) as broker,
        running(build(broker.settings(backlog=50))) as source,
    ):
        assert await publish(broker.settings(), numbered(2000)) == 2000
        await soon(lambda: len(source._backlog) == 50)

        assert len(await read(source, 2000)) == 2000


async def test_the_first_subscription_that_matches_gives_the_codec(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        settings = broker.settings(
            subscriptions=[{"topic": "a/+", "qos": 0}, {"topic": "b/#", "qos": 1}]
        )
        async with running(build(settings)) as source:
            await publish(broker.settings(), [("a/1", b"x"), ("b/1/2", b"y"), ("c", b"z")])

            messages = await read(source, 2)

    assert [message.topic for message in messages] == ["a/1", "b/1/2"]


async def test_subscriptions_of_an_older_configuration_are_ignored_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Mosquitto(tmp_path) as broker:
        async with running(build(broker.settings(**subscribing(1, "old/#")))):
            pass
        async with running(build(broker.settings(**subscribing(1, "new/#")))) as source:
            await publish(broker.settings(), [("old/1", b"x"), ("new/1", b"y")])

            messages = await read(source, 1)

    assert payloads(messages) == [b"y"]
    assert "on old/1, which no subscription asks for" in caplog.text
