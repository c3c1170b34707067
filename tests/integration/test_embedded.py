"""The embedded broker, with our source, our publisher and a client of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from playwatch.config.schema import MqttSettings
from playwatch.errors import ListenError
from playwatch.ingest.acknowledgements import Acknowledgements
from playwatch.ingest.embedded import EmbeddedBroker
from playwatch.ingest.packets import Published
from playwatch.ingest.publish import Publisher, publish
from tests.brokers import build, numbered, payloads, read, running
from tests.fakes import HandClock
from tests.waiting import soon

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from playwatch.ingest.mqtt import MqttSource

ANY_PORT = "127.0.0.1:0"


def reaching(broker: EmbeddedBroker) -> MqttSettings:
    settings = MqttSettings.model_validate({"embedded": True})
    return settings.model_copy(update={"url": broker.url})


def serving(broker: EmbeddedBroker) -> AbstractAsyncContextManager[MqttSource]:
    return running(build(reaching(broker)), alone=False)


@pytest.mark.parametrize("qos", [0, 1])
async def test_messages_pass_through_in_order(qos: int) -> None:
    async with EmbeddedBroker(ANY_PORT) as broker, serving(broker) as source:
        assert await publish(reaching(broker), numbered(100), 1 if qos else 0) == 100

        assert payloads(await read(source, 100)) == [payload for _, payload in numbered(100)]


async def test_a_client_of_another_library_is_served() -> None:
    async with EmbeddedBroker(ANY_PORT) as broker, serving(broker) as source:
        port = int(broker.url.rpartition(":")[2])
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.publish("playwatch/samples/x", b"hello", qos=1)

        assert payloads(await read(source, 1)) == [b"hello"]


async def test_it_leaves_nothing_running_whoever_is_still_connected() -> None:
    before = asyncio.all_tasks()
    async with EmbeddedBroker(ANY_PORT) as broker:
        source = build(reaching(broker))
        running_source = asyncio.create_task(source.run())
        await soon(lambda: source.is_subscribed)
        await publish(reaching(broker), numbered(10))
    await soon(lambda: not source.is_subscribed)
    running_source.cancel()
    await asyncio.gather(running_source, return_exceptions=True)

    assert asyncio.all_tasks() <= before


async def test_its_port_is_free_again_after_the_end() -> None:
    async with EmbeddedBroker(ANY_PORT) as broker, serving(broker):
        listen = broker.url.removeprefix("mqtt://")

    async with EmbeddedBroker(listen) as again:
        assert again.url == f"mqtt://{listen}"


async def test_a_taken_port_is_named() -> None:
    async with EmbeddedBroker(ANY_PORT) as broker:
        listen = broker.url.removeprefix("mqtt://")

        with pytest.raises(ListenError, match=f"the embedded broker cannot listen on {listen}"):
            await EmbeddedBroker(listen).__aenter__()


@pytest.mark.parametrize("listen", ["0.0.0.0:1883", "192.0.2.1:1883", ":1883", "localhost", "x:y"])
def test_an_address_that_others_could_reach_is_refused(listen: str) -> None:
    with pytest.raises(ListenError, match="asks for no password"):
        EmbeddedBroker(listen)


async def test_a_denied_subscription_means_not_subscribed(caplog: pytest.LogCaptureFixture) -> None:
    async with EmbeddedBroker(ANY_PORT) as broker:
        subscriptions = reaching(broker).subscriptions
        denied = subscriptions[0].model_copy(update={"topic": "wrong#"})
        settings = reaching(broker).model_copy(update={"subscriptions": (*subscriptions, denied)})
        async with running(build(settings), subscribed=False, alone=False) as source:
            await soon(lambda: "denies the subscription to wrong#" in caplog.text)
            await publish(reaching(broker), numbered(1))

            assert len(await read(source, 1)) == 1
            assert not source.is_subscribed


async def test_a_client_that_speaks_nonsense_does_no_harm() -> None:
    async with EmbeddedBroker(ANY_PORT) as broker, serving(broker) as source:
        port = int(broker.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        async with Publisher(reaching(broker)) as publisher:
            await publisher.publish("playwatch/samples/x", b"1")

        assert len(await read(source, 1)) == 1
        del reader


async def test_more_than_it_can_bear_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    settings = MqttSettings.model_validate({"embedded": True})
    source = build(settings, clock=clock)
    source._resume(has_session=False, acknowledgements=Acknowledgements(lambda _: None))
    for _ in range(3):
        one = Published(b"playwatch/samples/x", b"1", b"", is_retained=False)
        await clock.advance(1)
        source._receive([one] * 600)
        await source.read()

    said = [record.message for record in caplog.records if "per second" in record.message]
    assert len(said) == 1
    assert said[0].startswith("mqtt://127.0.0.1:1883: 600 messages per second, more than the 500")
