"""The publisher against a real mosquitto."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playwatch.errors import BrokerError
from playwatch.ingest.publish import Publisher, publish
from tests.brokers import (
    TOPIC,
    Mosquitto,
    at_port,
    build,
    free_port,
    needs_mosquitto,
    numbered,
    read,
    running,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.mosquitto, needs_mosquitto]


async def test_publishing_to_an_absent_broker_says_so_in_a_sentence() -> None:
    settings = at_port(free_port())

    with pytest.raises(BrokerError, match=r"^mqtt://127\.0\.0\.1:\d+: connection refused$"):
        await publish(settings, numbered(1))


async def test_publishing_with_a_wrong_password_says_so(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path, password="right") as broker:  # noqa: S106 - a test's
        settings = broker.settings(username="engine", password="wrong")  # noqa: S106

        with pytest.raises(BrokerError, match="refused us: not authori"):
            await publish(settings, numbered(1))


async def test_a_broker_lost_while_publishing_is_an_error(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        with pytest.raises(BrokerError, match=r"lost|ended"):  # noqa: PT012 - entering and leaving count too
            async with Publisher(broker.settings(), window=10) as publisher:
                await publisher.publish(TOPIC, b"1")
                await publisher.flush()
                await broker.stop()
                while True:
                    await publisher.publish(TOPIC, b"2")


async def test_a_topic_with_a_wildcard_is_not_published_to(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, Publisher(broker.settings()) as publisher:
        with pytest.raises(BrokerError, match="wildcard"):
            await publisher.publish("a/#", b"")


async def test_a_broker_that_asks_for_few_at_a_time_gets_them_all(tmp_path: Path) -> None:
    async with (
        Mosquitto(tmp_path, options=("max_inflight_messages 3",)) as broker,
        running(build(broker.settings())) as source,
    ):
        assert await publish(broker.settings(), numbered(50)) == 50
        assert len(await read(source, 50)) == 50


async def test_an_asynchronous_stream_is_published_at_qos_0(tmp_path: Path) -> None:
    async def stream() -> AsyncIterator[tuple[str, bytes]]:
        for topic, payload in numbered(2000):
            yield topic, payload * 100

    async with Mosquitto(tmp_path) as broker, running(build(broker.settings())) as source:
        assert await publish(broker.settings(), stream(), 0) == 2000
        assert len(await read(source, 2000)) == 2000
