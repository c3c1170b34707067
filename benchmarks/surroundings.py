"""What a benchmark of the whole engine runs beside it: a broker, a receiver, a publisher.

All of them are processes or threads of their own, so that the processor time of
the engine is the engine's. The publisher writes MQTT packets to a socket by
itself: a client library would be slower than what is measured.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import struct
import sys
import threading
import time
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from types import TracebackType

TOPIC = "playwatch/samples/bench"
METRIC = "playback_failure_percentage"
KEY = "benchmarkbenchmarkbenchmark00000"
CONFIG = """\
mqtt:
  url: mqtt://127.0.0.1:{broker}
  subscriptions: [{{topic: "playwatch/samples/#", qos: {qos}, codec: {codec}}}]
store: {{path: playwatch.db}}
web: {{listen: "127.0.0.1:{web}"}}
anomalies: {anomalies}
rules:
  - {{name: failures, metric: {metric}, by: [video_title], window: {window}s, trigger: "> 5"}}
channels:
  - {{name: oncall, service: pagerduty, integration_key: {key}, url: "{events}",
     rate_limit: none, self_alerts: false}}
{more_channels}
"""
_PATIENCE_S = 120.0
_PUBACK = 0x40


class Receiver:
    """Takes events, answers 202, and stamps when each request arrived.

    Attributes
    ----------
    triggers, resolves
        Keys of what came, in order.
    first_at
        When the first trigger of each group came, as `time.perf_counter`.
    """

    def __init__(self) -> None:
        self.triggers: list[str] = []
        self.resolves: list[str] = []
        self.first_at: dict[str, float] = {}
        self._arrived: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    async def handle(self, request: web.Request) -> web.Response:
        """Stamp one event."""
        at = time.perf_counter()
        event = await request.json()
        known = self.triggers if event["event_action"] == "trigger" else self.resolves
        known.append(event["dedup_key"])
        if known is self.triggers:
            self.first_at.setdefault(event["payload"]["source"], at)
        await self._arrived.put((event["event_action"], at))
        answer = {"status": "success", "message": "Event processed"}
        return web.json_response({**answer, "dedup_key": event["dedup_key"]}, status=202)

    async def next(self, action: str, patience_s: float = 30) -> float:
        """Return when the next event of an action arrived."""
        async with asyncio.timeout(patience_s):
            while True:
                found, at = await self._arrived.get()
                if found == action:
                    return at


class Publisher:
    """Publishes prepared payloads as fast as the broker takes them, from a thread.

    At QoS 1 no more than 1,000 messages are unacknowledged.
    """

    def __init__(self, port: int, qos: int, client_id: str = "bench") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._qos = qos
        name = client_id.encode()
        body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack(">H", len(name)) + name
        self._socket.sendall(b"\x10" + _length(len(body)) + body)
        self._socket.recv(4)
        self._window = threading.Semaphore(1000)
        self._acknowledged = 0
        if qos:
            threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take leave of the broker."""
        with suppress(OSError):
            self._socket.sendall(b"\xe0\x00")
        self._socket.close()

    def publish(self, payloads: Iterable[bytes], topic: str = TOPIC) -> None:
        """Publish all; at QoS 1 return when the broker has acknowledged them."""
        name = struct.pack(">H", len(topic)) + topic.encode()
        sent = 0
        for number, payload in enumerate(payloads):
            head = name
            if self._qos:
                self._window.acquire()
                head += struct.pack(">H", number % 65_535 + 1)
            body = _length(len(head) + len(payload)) + head + payload
            self._socket.sendall(bytes([0x30 | self._qos << 1]) + body)
            sent += 1
        until = time.monotonic() + _PATIENCE_S
        while self._qos and self._acknowledged < sent:
            if time.monotonic() > until:
                message = f"the broker acknowledged {self._acknowledged} of {sent}"
                raise TimeoutError(message)
            time.sleep(0.001)
        self._acknowledged = 0

    def _listen(self) -> None:
        left = b""
        with suppress(OSError):
            while chunk := self._socket.recv(65_536):
                left += chunk
                count = len(left) // 4
                for start in range(0, count * 4, 4):
                    if left[start] == _PUBACK:
                        self._acknowledged += 1
                        self._window.release()
                left = left[count * 4 :]


class Engine:
    """The engine as its users run it: the console script, with its store on disk."""

    def __init__(self, folder: Path, config: str, web_port: int, under: Sequence[str] = ()) -> None:
        self._under = under
        self._config = folder / "playwatch.yaml"
        self._config.write_text(config)
        self.url = f"http://127.0.0.1:{web_port}"
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[bytes] | None = None
        self._pid = 0

    async def start(self) -> float:
        """Start it; return the seconds until it is subscribed."""
        began = time.perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            *self._under,
            str(Path(sys.executable).with_name("playwatch")),
            *("run", "-c", str(self._config)),
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._process.stderr is not None  # noqa: S101 - a pipe was asked for
        async for line in self._process.stderr:
            if b"subscribed" in line:
                break
        took_s = time.perf_counter() - began
        number = self._process.pid
        self._pid = _child_of(number) if self._under else number
        self._reading = asyncio.create_task(self._process.stderr.read())
        return took_s

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is None:
            return
        if self._process.returncode is None:
            os.kill(self._pid, number)
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        return cpu_s_of(self._pid)

    def memory_bytes(self) -> int:
        """Return what it holds in memory."""
        return int(self._proc("statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; 0 before it is there."""
        text = await asyncio.to_thread(_get, f"{self.url}/metrics")
        values = [line.rpartition(" ")[2] for line in text.splitlines() if _is(line, name)]
        return sum(map(float, values))

    async def has(self, name: str, value: float) -> None:
        """Wait until a metric has reached a value."""
        async with asyncio.timeout(_PATIENCE_S):
            while await self.metric(name) < value:  # noqa: ASYNC110 - another process counts
                await asyncio.sleep(0.02)

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._pid}/{name}").read_text()


@asynccontextmanager
async def broker(folder: Path, *, is_persistent: bool = False) -> AsyncIterator[int]:
    """Run a mosquitto with its store in a folder; yield its port."""
    async with broker_process(folder, is_persistent=is_persistent) as (port, _):
        yield port


@asynccontextmanager
async def broker_process(
    folder: Path, *, is_persistent: bool = False
) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Run a mosquitto with its store in a folder; yield its port and itself."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n"
        "max_queued_messages 0\nset_tcp_nodelay true\nuser root\n"
        f"persistence {str(is_persistent).lower()}\npersistence_location {folder}/\n"
    )
    command = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") or "mosquitto"
    process = await asyncio.create_subprocess_exec(
        command, "-c", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.to_thread(wait_for_port, port)
        yield port, process
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    """Serve a receiver; yield it with its URL."""
    receiving = Receiver()
    app = web.Application()
    app.router.add_post("/v2/enqueue", receiving.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield receiving, f"http://127.0.0.1:{runner.addresses[0][1]}/v2/enqueue"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def engine(
    folder: Path, broker_port: int, events: str, *, under: Sequence[str] = (), **changes: object
) -> AsyncIterator[Engine]:
    """Run an engine that watches every title; yield it.

    Parameters
    ----------
    under
        The command that runs it, with its arguments; none to run it as it is.
    changes
        Of the configuration: ``codec``, ``qos``, ``window``, ``anomalies``, ``more_channels``.
    """
    web_port = free_port()
    settings = {"codec": "native", "qos": 1, "window": 1, "anomalies": "[]", "more_channels": ""}
    settings |= changes
    text = CONFIG.format(
        broker=broker_port, web=web_port, metric=METRIC, key=KEY, events=events, **settings
    )
    running = Engine(folder, text, web_port, under)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def cpu_s_of(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Return once somebody listens on a port."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    message = f"nobody listens on port {port}"
    raise TimeoutError(message)


def _length(size: int) -> bytes:
    """Return a remaining length as MQTT writes it."""
    written = bytearray()
    while True:
        size, digit = divmod(size, 128)
        written.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(written)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own engine
        text: str = answer.read().decode()
        return text


def _is(line: str, name: str) -> bool:
    return line.startswith((f"{name} ", f"{name}{{"))
