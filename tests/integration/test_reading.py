"""What the reading of a connection does beside handing messages over."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import gmqtt
import pytest

from playwatch.ingest.connection import Connection
from playwatch.ingest.endpoint import Endpoint
from playwatch.ingest.publish import publish
from playwatch.telemetry import Telemetry
from tests.brokers import (
    PROTOCOLS,
    TOPIC,
    Mosquitto,
    at_port,
    build,
    needs_mosquitto,
    payloads,
    read,
    running,
)
from tests.fakes import settle
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTED = b"\x20\x02\x00\x00"
SOCKET_READ = 256 * 1024


@pytest.mark.mosquitto
@needs_mosquitto
@PROTOCOLS
async def test_what_waits_stays_bounded_in_bytes_and_nothing_is_lost(
    tmp_path: Path, protocol: str
) -> None:
    size, limit = 100_000, 200_000
    sent = [b"%d" % number + bytes(size) for number in range(60)]
    telemetry = Telemetry()
    async with Mosquitto(tmp_path) as broker:
        source = build(broker.settings(protocol=protocol), telemetry=telemetry, backlog_bytes=limit)
        async with running(source):
            await publish(broker.settings(), [(TOPIC, payload) for payload in sent])
            await soon(lambda: source._is_paused)
            exposition = telemetry.exposition().decode()
            name = f'{{source="mqtt://127.0.0.1:{broker.port}"}}'

            assert f"playwatch_reading_paused_total{name} 1.0" in exposition
            waiting = exposition.partition(f"playwatch_queue_bytes{name} ")[2].split()[0]
            assert limit <= float(waiting) <= limit + SOCKET_READ + size
            assert payloads(await read(source, len(sent))) == sent


async def test_bytes_that_are_not_mqtt_end_the_connection_with_that_reason() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(ACCEPTED + b"\x30\xff\xff\xff\xff\xff")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with running(build(at_port(port, protocol="3.1.1")), subscribed=False) as source:
            await soon(lambda: "not MQTT" in source.trouble)


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept one client and wait until it goes."""
    try:
        await reader.read(1000)
        writer.write(ACCEPTED)
        await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("turns", range(12))
async def test_whoever_is_stopped_while_connecting_leaves_nothing_to_complain_of(
    turns: int,
) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, facts: complaints.append(facts))
    before = asyncio.all_tasks()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        settings = at_port(server.sockets[0].getsockname()[1], protocol="3.1.1")
        publishing = asyncio.create_task(publish(settings, []))
        await settle(turns)
        publishing.cancel()
        await asyncio.wait([publishing])
        await soon(lambda: asyncio.all_tasks() <= before)
        await settle()
    gc.collect()  # tasks complain when nobody asks for their result
    assert complaints == []


async def test_what_is_used_of_the_librarys_inside_is_there() -> None:
    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Connection(Endpoint.of(at_port(port, protocol="3.1.1")), "engine")
        await connection.open(60)
        inside = connection._client._connection

        # `ingest.reader` stands on these; when one is gone, it needs another hold.
        assert asyncio.iscoroutinefunction(gmqtt.Client._create_connection)
        assert inside is not None
        assert inside._protocol._transport is inside._transport
        assert isinstance(inside._last_data_in, float)
        assert callable(inside.put_package)
        await connection.close()
