"""The MQTT source outlives every failure of its broker."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

import pytest

from playwatch.config.schema import MqttSettings
from playwatch.ingest.publish import publish
from tests.brokers import (
    PROTOCOLS,
    Mosquitto,
    at_port,
    build,
    needs_mosquitto,
    numbered,
    payloads,
    read,
    running,
)
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.mosquitto, needs_mosquitto]


async def test_unread_messages_are_not_doubled_by_a_reconnect(tmp_path: Path) -> None:
    async with (
        Mosquitto(tmp_path, is_persistent=True) as broker,
        running(build(broker.settings())) as source,
    ):
        await publish(broker.settings(), numbered(20))
        await soon(lambda: len(source._backlog) == 20)
        await broker.restart()
        await soon(lambda: source.is_subscribed)
        await publish(broker.settings(), numbered(1, first=20))

        messages = await read(source, 21)

    assert payloads(messages) == [payload for _, payload in numbered(21)]


async def test_unread_messages_survive_a_broker_that_forgets_them(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker, running(build(broker.settings())) as source:
        await publish(broker.settings(), numbered(20))
        await soon(lambda: len(source._backlog) == 20)
        await broker.restart(kill=True)
        await soon(lambda: source.is_subscribed)

        assert len(await read(source, 20)) == 20


async def test_acknowledging_after_the_connection_was_lost_does_no_harm(tmp_path: Path) -> None:
    async with (
        Mosquitto(tmp_path, is_persistent=True) as broker,
        running(build(broker.settings())) as source,
    ):
        await publish(broker.settings(), numbered(3))
        arrivals = await source.read()
        await broker.restart()
        await soon(lambda: source.is_subscribed)

        arrivals.acknowledge()

        assert payloads(await read(source, len(arrivals.messages)))


@PROTOCOLS
async def test_a_broker_that_starts_later_is_found(
    tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Mosquitto(tmp_path)
    async with running(build(broker.settings(protocol=protocol)), subscribed=False) as source:
        await soon(lambda: "connection refused" in source.trouble)
        async with broker:
            await soon(lambda: source.is_subscribed)

            assert source.trouble == ""
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said[:1] == [f"{source.name}: connection refused; trying again until it works"]
    assert len(said) == len(set(said))


@PROTOCOLS
@pytest.mark.parametrize("kill", [False, True])
async def test_a_restarted_broker_is_subscribed_to_again(
    tmp_path: Path, protocol: str, *, kill: bool
) -> None:
    async with (
        Mosquitto(tmp_path) as broker,
        running(build(broker.settings(protocol=protocol))) as source,
    ):
        await broker.stop(kill=kill)
        await soon(lambda: not source.is_subscribed)
        await broker.start()
        await soon(lambda: source.is_subscribed)
        await publish(broker.settings(), numbered(1))

        assert len(await read(source, 1)) == 1


@PROTOCOLS
async def test_a_password_changed_and_restored_is_survived(
    tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Mosquitto(tmp_path, password="first-secret") as broker:  # noqa: S106 - a test's
        settings = broker.settings(protocol=protocol, username="engine", password="first-secret")  # noqa: S106
        async with running(build(settings)) as source:
            await broker.restart(password="other")  # noqa: S106
            await soon(lambda: "refused us" in source.trouble)
            await broker.restart(password="first-secret")  # noqa: S106
            await soon(lambda: source.is_subscribed)
            await publish(settings, numbered(1))

            assert len(await read(source, 1)) == 1
    assert "not authori" in caplog.text
    assert "first-secret" not in caplog.text


async def test_a_host_without_address_is_named(caplog: pytest.LogCaptureFixture) -> None:
    settings = MqttSettings(url="mqtt://broker.invalid")
    async with running(build(settings), subscribed=False) as source:
        await soon(lambda: source.trouble)

    assert "host broker.invalid is not found" in caplog.text


async def test_a_silent_server_is_given_up_in_time() -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            pass
        writer.close()

    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    settings = at_port(port)
    async with running(build(settings, connect_timeout_s=0.05), subscribed=False) as source:
        await soon(lambda: source.trouble)

        assert source.trouble == "no answer within 0.05 s"
    silent.close()
    await silent.wait_closed()


async def test_a_server_that_hangs_up_leads_to_a_hint_at_the_protocol() -> None:
    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = at_port(port)
    async with running(build(settings), subscribed=False) as source:
        await soon(lambda: source.trouble)

        assert "set mqtt.protocol to 3.1.1" in source.trouble
    server.close()
    await server.wait_closed()


async def test_a_broker_that_freezes_is_noticed_and_left_without_hanging(tmp_path: Path) -> None:
    async with (
        Mosquitto(tmp_path) as broker,
        running(build(broker.settings(keepalive="1s"))) as source,
    ):
        assert broker._process is not None
        broker._process.send_signal(signal.SIGSTOP)
        await soon(lambda: not source.is_subscribed)
        broker._process.send_signal(signal.SIGCONT)
        await soon(lambda: source.is_subscribed)


async def test_a_session_taken_over_names_the_client_id(caplog: pytest.LogCaptureFixture) -> None:
    async def take_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(bytes.fromhex("20 03 00 00 00"))  # CONNACK
        subscribe = await reader.read(1000)
        writer.write(bytes.fromhex("90 04") + subscribe[2:4] + bytes.fromhex("00 01"))  # SUBACK
        writer.write(bytes.fromhex("e0 01 8e"))  # DISCONNECT, session taken over
        await reader.read(1000)
        writer.close()

    server = await asyncio.start_server(take_over, "127.0.0.1", 0)
    settings = at_port(server.sockets[0].getsockname()[1], client_id="twin")
    async with running(build(settings), subscribed=False):
        await soon(lambda: "another client connected with our client id 'twin'" in caplog.text)
    server.close()
    await server.wait_closed()


async def test_where_the_broker_does_not_say_so_a_second_client_is_suspected(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Mosquitto(tmp_path) as broker:
        settings = broker.settings(client_id="twin")
        rival = asyncio.create_task(build(settings).run())
        async with running(build(settings), subscribed=False, alone=False):
            await soon(lambda: "does another client use our client id 'twin'?" in caplog.text)
        rival.cancel()
        await asyncio.gather(rival, return_exceptions=True)
