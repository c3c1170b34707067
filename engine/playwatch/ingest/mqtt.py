"""Messages from an MQTT broker, for as long as the engine runs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from playwatch.errors import BrokerError
from playwatch.ingest.backlog import Backlog
from playwatch.ingest.connection import REFUSED, Connection
from playwatch.ingest.endpoint import Endpoint
from playwatch.ingest.overload import Overload
from playwatch.ingest.rate import RateWatch
from playwatch.ingest.topics import matches
from playwatch.ports import Arrivals, Message

if TYPE_CHECKING:
    import random

    from playwatch.config.schema import MqttSettings
    from playwatch.ports import Clock
    from playwatch.telemetry import Telemetry

log = logging.getLogger("playwatch.ingest")

CONNECT_TIMEOUT_S = 10.0
BACKOFF_S = (0.2, 30.0)
EMBEDDED_RATE = 500.0

_SETTLED_MS = 10_000
_BRIEF_BEFORE_HINT = 3
_TOPICS_REMEMBERED = 200_000


class MqttSource:
    """Stays subscribed to a broker and hands over what each read brought.

    A message of QoS 1 is acknowledged when its `Arrivals` are; until then the
    broker keeps it and sends it again on the next connection. A message of
    QoS 0 is dropped and counted when the backlog is full.

    Parameters
    ----------
    settings
        The broker and the subscriptions.
    telemetry
        Where messages and the state of the connection are counted.
    clock
        Waits between attempts to connect.
    client_id
        Our name at the broker, unless the settings give one. It must stay the
        same over restarts, for the broker's session belongs to it.
    rng
        Spreads the attempts, so that many engines do not return as one.
    backoff_s
        The first and the longest wait between attempts, in seconds. The wait
        is uniform between 0 and the bound, which doubles at each attempt.
    connect_timeout_s
        How long an attempt may take.
    rate_warning
        Warn above so many messages per second; None for never. By default
        what our own embedded broker can bear.
    """

    def __init__(
        self,
        settings: MqttSettings,
        telemetry: Telemetry,
        clock: Clock,
        *,
        client_id: str,
        rng: random.Random,
        backoff_s: tuple[float, float] = BACKOFF_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        rate_warning: float | None = None,
    ) -> None:
        self._settings = settings
        self._endpoint = Endpoint.of(settings)
        self._client_id = settings.client_id or client_id
        self._clock = clock
        self._rng = rng
        self._backoff_s = backoff_s
        self._connect_timeout_s = connect_timeout_s
        if rate_warning is None and settings.embedded:
            rate_warning = EMBEDDED_RATE
        self._rate = RateWatch(self.name, clock, rate_warning)
        self._overload = Overload(self.name, clock, telemetry)

        self._received = telemetry.messages_received.labels(self.name)
        self._retained = telemetry.messages_retained.labels(self.name)
        self._connected = telemetry.connected.labels(self.name)

        self._backlog = Backlog(settings.backlog)
        telemetry.queue_length.labels(self.name).set_function(lambda: len(self._backlog))
        self._arrived = asyncio.Event()
        self._fresh = 0
        self._oldest_ms = 0
        self._codecs: dict[str | bytes, str | None] = {}
        self._acknowledged: asyncio.Future[int] | None = None
        self._is_subscribed = False
        self._knows_stray = False
        self._trouble = ""
        self._brief = 0

    @property
    def name(self) -> str:
        """The broker's address, without credentials."""
        return str(self._endpoint)

    @property
    def is_subscribed(self) -> bool:
        """True while every subscription is granted and messages can arrive."""
        return self._is_subscribed

    @property
    def trouble(self) -> str:
        """Why no messages can arrive, in words; empty when they can or nothing was tried."""
        return self._trouble

    async def read(self) -> Arrivals:
        """Wait for the next messages and return all that have arrived."""
        while not len(self._backlog):
            self._arrived.clear()
            await self._arrived.wait()
        self._flush()
        self._overload.read(self._clock.monotonic_ms() - self._oldest_ms)
        return self._backlog.take()

    async def run(self) -> None:
        """Stay connected until cancelled; outlive every failure of the broker."""
        first_s, longest_s = self._backoff_s
        attempt = 0
        while True:
            began = self._clock.monotonic_ms()
            try:
                reason = await self._live()
            except BrokerError as error:
                reason = str(error)
            except Exception:
                log.exception("%s: an error of ours ended the connection", self.name)
                reason = "an error of ours ended the connection"
            self._say_away(reason)
            if self._clock.monotonic_ms() - began >= _SETTLED_MS:
                attempt = 0
            bound_s = min(first_s * 2**attempt, longest_s)
            attempt = min(attempt + 1, 32)
            await self._clock.sleep(self._rng.uniform(0, bound_s))

    async def _live(self) -> str:
        """Connect, subscribe, and return why the connection ended."""
        connection = Connection(
            self._endpoint,
            self._client_id,
            on_message=self._receive,
            on_session=self._resume,
            session_expiry_s=self._settings.session_expiry_s,
            receive_maximum=self._settings.backlog,
        )
        began = self._clock.monotonic_ms()
        was_subscribed = False
        try:
            await connection.open(self._connect_timeout_s)
            was_subscribed = await self._subscribe(connection)
            reason = await connection.lost()
        finally:
            self._set_subscribed(state=False)
            await connection.close()
        if connection.is_taken_over:
            return f"another client connected with our client id {self._client_id!r}"
        is_brief = was_subscribed and self._clock.monotonic_ms() - began < _SETTLED_MS
        self._brief = self._brief + 1 if is_brief else 0
        if self._brief >= _BRIEF_BEFORE_HINT:
            reason += f"; does another client use our client id {self._client_id!r}?"
        return reason

    async def _subscribe(self, connection: Connection) -> bool:
        """Ask for every subscription, again and again while the broker denies some."""
        wanted = [(asked.topic, asked.qos) for asked in self._settings.subscriptions]
        while True:
            granted = await connection.subscribe(wanted, self._connect_timeout_s)
            denied = [
                topic for (topic, _), code in zip(wanted, granted, strict=False) if code >= REFUSED
            ]
            if not denied:
                self._set_subscribed(state=True)
                self._say_back()
                return True
            self._say_away(f"the broker denies the subscription to {', '.join(denied)}")
            try:
                async with asyncio.timeout(self._backoff_s[1]):
                    raise BrokerError(await connection.lost())
            except TimeoutError:
                continue

    def _resume(self, has_session: bool) -> None:  # noqa: FBT001 - called by position
        """Begin a connection: what the broker kept, it sends again."""
        self._acknowledged = asyncio.get_running_loop().create_future()
        self._acknowledged.set_result(0)
        self._knows_stray = False
        if has_session:
            self._backlog.forget_held()

    def _receive(
        self,
        topic: str | bytes,
        payload: bytes,
        qos: int,
        is_retained: bool,  # noqa: FBT001 - called by position
    ) -> asyncio.Future[int]:
        """Take one message in; the result acknowledges it."""
        acknowledged = self._acknowledged
        assert acknowledged is not None  # noqa: S101 - set before the first message
        self._fresh += 1
        if self._fresh == 1:
            if not len(self._backlog):
                self._oldest_ms = self._clock.monotonic_ms()
            acknowledged.get_loop().call_soon(self._flush)
        if is_retained:
            self._retained.inc()
            return acknowledged
        try:
            codec = self._codecs[topic]
        except KeyError:
            codec = self._learn(topic)
        if codec is None:
            return acknowledged
        if isinstance(topic, bytes):
            topic = topic.decode("utf-8", "backslashreplace")
        message = Message(topic, payload, codec)
        if qos == 0:
            if not self._backlog.add(message):
                self._overload.drop(self._backlog.reached, len(self._backlog))
            return acknowledged
        receipt = acknowledged.get_loop().create_future()
        self._backlog.add(message, receipt)
        return receipt

    def _flush(self) -> None:
        """End a read: count what it brought and let it be taken."""
        self._received.inc(self._fresh)
        self._rate.add(self._fresh)
        self._fresh = 0
        self._arrived.set()

    def _learn(self, topic: str | bytes) -> str | None:
        """Find the codec of a topic seen for the first time; None when nobody asked for it."""
        named = topic.decode("utf-8", "backslashreplace") if isinstance(topic, bytes) else topic
        codec = next(
            (asked.codec for asked in self._settings.subscriptions if matches(asked.topic, named)),
            None,
        )
        if codec is None and not self._knows_stray:
            self._knows_stray = True
            log.warning(
                "%s: messages arrive on %s, which no subscription asks for; the broker's session of"
                " client id %r remembers an older configuration, they are ignored",
                self.name,
                named,
                self._client_id,
            )
        if len(self._codecs) >= _TOPICS_REMEMBERED:
            self._codecs.clear()
        self._codecs[topic] = codec
        return codec

    def _set_subscribed(self, *, state: bool) -> None:
        self._is_subscribed = state
        self._connected.set(state)

    def _say_away(self, reason: str) -> None:
        if reason != self._trouble:
            self._trouble = reason
            log.warning("%s: %s; trying again until it works", self.name, reason)

    def _say_back(self) -> None:
        log.info("%s: %s", self.name, "subscribed again" if self._trouble else "subscribed")
        self._trouble = ""
