"""A real mosquitto for tests, started, stopped and changed at will, and sources to run on it."""

from __future__ import annotations

import asyncio
import getpass
import itertools
import os
import random
import shutil
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pytest

from playwatch.config.schema import MqttSettings
from playwatch.ingest.mqtt import MqttSource
from playwatch.runtime.clock import SystemClock
from playwatch.telemetry import Telemetry
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from types import TracebackType

    from playwatch.ports import Message

TOPIC = "playwatch/samples/de"
PROTOCOLS = pytest.mark.parametrize("protocol", ["5", "3.1.1"])

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
PASSWD = shutil.which("mosquitto_passwd")

needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None or PASSWD is None,
    reason="mosquitto is not installed (Debian: apt install mosquitto)",
)


def _own_ports() -> Iterator[int]:
    """Return ports that neither the system gives to others nor another worker of this run takes."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    ports = range(10_000 + worker * 2_500, 12_500 + worker * 2_500)
    first = os.getpid() % len(ports)
    return itertools.cycle((*ports[first:], *ports[:first]))


_PORTS = _own_ports()


def free_port() -> int:
    """Return a port of loopback that nobody listens on, and that nobody will by chance."""
    for port in _PORTS:
        with socket.socket() as bound, suppress(OSError):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(("127.0.0.1", port))
            return port
    raise AssertionError


@dataclass
class Mosquitto:
    """A broker process on a port of its own; an async context manager.

    Attributes
    ----------
    folder
        For its configuration, password file and stored sessions.
    password
        When set, only user ``engine`` with this password is let in.
    is_persistent
        Whether sessions outlive a restart.
    options
        More lines of its configuration.
    """

    folder: Path
    password: str | None = None
    is_persistent: bool = False
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    _process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def settings(self, **changes: Any) -> MqttSettings:  # noqa: ANN401 - any setting
        """Return settings that reach this broker."""
        return at_port(self.port, **changes)

    async def start(self) -> None:
        """Start it and wait until it listens."""
        assert MOSQUITTO is not None
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(await self._lines()) + "\n")
        self._process = await asyncio.create_subprocess_exec(
            MOSQUITTO,
            "-c",
            str(config),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        while not await self._listens():
            assert self._process.returncode is None, "mosquitto did not start"
            await asyncio.sleep(0.01)

    async def stop(self, *, kill: bool = False) -> None:
        """End it and wait until it is gone; ``kill`` leaves it no time to store anything."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill() if kill else process.terminate()
        await process.wait()

    async def restart(self, *, password: str | None = None, kill: bool = False) -> None:
        """Stop and start it, with another password if given."""
        await self.stop(kill=kill)
        if password is not None:
            self.password = password
        await self.start()

    async def _lines(self) -> list[str]:
        lines = [
            f"listener {self.port} 127.0.0.1",
            # As root it would become another user, who may not enter the folder.
            f"user {getpass.getuser()}",
            "max_inflight_messages 1000",
            "max_queued_messages 200000",
            f"persistence {str(self.is_persistent).lower()}",
            f"persistence_location {self.folder}/",
            *self.options,
        ]
        if self.password is None:
            return [*lines, "allow_anonymous true"]
        assert PASSWD is not None
        users = self.folder / "users"
        setting = await asyncio.create_subprocess_exec(
            PASSWD, "-b", "-c", str(users), "engine", self.password
        )
        assert await setting.wait() == 0
        return [*lines, "allow_anonymous false", f"password_file {users}"]

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


def at_port(port: int, **changes: Any) -> MqttSettings:  # noqa: ANN401 - any setting
    """Return settings that reach a port of loopback."""
    return MqttSettings.model_validate({"url": f"mqtt://127.0.0.1:{port}"} | changes)


def build(settings: MqttSettings, client_id: str = "engine", **changes: Any) -> MqttSource:  # noqa: ANN401 - any parameter
    return MqttSource(
        settings,
        changes.pop("telemetry", Telemetry()),
        changes.pop("clock", SystemClock()),
        client_id=client_id,
        rng=random.Random(1),  # noqa: S311 - no secret
        backoff_s=(0.01, 0.05),
        **changes,
    )


@asynccontextmanager
async def running(
    source: MqttSource, *, subscribed: bool = True, alone: bool = True
) -> AsyncIterator[MqttSource]:
    """Run a source; check that it leaves nothing behind when it runs alone."""
    before = asyncio.all_tasks()
    task = asyncio.create_task(source.run())
    try:
        if subscribed:
            await soon(lambda: source.is_subscribed)
        yield source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not source.is_subscribed
        assert not alone or asyncio.all_tasks() <= before


async def read(source: MqttSource, count: int, *, acknowledge: bool = True) -> list[Message]:
    """Read until so many messages have arrived."""
    messages: list[Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(messages) < count:
            arrivals = await source.read()
            messages += arrivals.messages
            if acknowledge:
                arrivals.acknowledge()
    return messages


def numbered(count: int, first: int = 0) -> list[tuple[str, bytes]]:
    return [(TOPIC, b"%d" % number) for number in range(first, first + count)]


def payloads(messages: list[Message]) -> list[bytes]:
    return [message.payload for message in messages]


def subscribing(qos: int, topic: str = "playwatch/samples/#") -> dict[str, Any]:
    return {"subscriptions": [{"topic": topic, "qos": qos}]}
