"""Messages from an MQTT broker, for as long as the engine runs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from playwatch.errors import BrokerError
from playwatch.ingest.backlog import LIMIT_BYTES, Backlog
from playwatch.ingest.connection import REFUSED, Connection
from playwatch.ingest.endpoint import Endpoint
from playwatch.ingest.overload import Overload
from playwatch.ingest.rate import RateWatch
from playwatch.ingest.topics import matches
from playwatch.ports import Arrivals, Message

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from playwatch.config.schema import MqttSettings
    from playwatch.ingest.acknowledgements import Acknowledgements
    from playwatch.ingest.packets import Published
    from playwatch.ports import Clock
    from playwatch.telemetry import Telemetry

log = logging.getLogger("playwatch.ingest")

CONNECT_TIMEOUT_S = 10.0
BACKOFF_S = (0.2, 30.0)
EMBEDDED_RATE = 500.0

_SETTLED_MS = 10_000
_BRIEF_BEFORE_HINT = 3
_TOPICS_REMEMBERED = 200_000
_RETAINED = {"packed": "packed_keys"}
"""How to read what a broker retained, by codec: samples are old, keys hold."""


class MqttSource:
    """Stays subscribed to a broker and hands over what each read brought.

    A message of QoS 1 is acknowledged when its `Arrivals` are; until then the
    broker keeps it and sends it again on the next connection. A message of
    QoS 0 is dropped and counted when the backlog is full. When the payloads of
    QoS 1 that wait reach a limit, the socket is not read until they are taken.

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
    backlog_bytes
        How many bytes of messages may wait before the socket is not read.
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
        backlog_bytes: int = LIMIT_BYTES,
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

        self._backlog = Backlog(settings.backlog, backlog_bytes)
        telemetry.queue_length.labels(self.name).set_function(lambda: len(self._backlog))
        telemetry.queue_bytes.labels(self.name).set_function(lambda: self._backlog.bytes)
        self._paused = telemetry.reading_paused.labels(self.name)
        self._arrived = asyncio.Event()
        self._oldest_ms = 0
        self._topics: dict[bytes, tuple[str, str | None]] = {}
        self._acknowledgements: Acknowledgements | None = None
        self._connection: Connection | None = None
        self._is_paused = False
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
        self._overload.read(self._clock.monotonic_ms() - self._oldest_ms)
        arrivals = self._backlog.take(self._oldest_ms)
        if self._is_paused and self._connection is not None:
            self._is_paused = False
            self._connection.resume()
        return arrivals

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
        connection = self._connection = Connection(
            self._endpoint,
            self._client_id,
            on_messages=self._receive,
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
            self._is_paused = False
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
        wanted = [
            (asked.topic, asked.qos, asked.codec in _RETAINED)
            for asked in self._settings.subscriptions
        ]
        while True:
            granted = await connection.subscribe(wanted, self._connect_timeout_s)
            denied = [
                asked[0] for asked, code in zip(wanted, granted, strict=False) if code >= REFUSED
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

    def _resume(self, has_session: bool, acknowledgements: Acknowledgements) -> None:  # noqa: FBT001 - called by position
        """Begin a connection: what the broker kept, it sends again."""
        self._acknowledgements = acknowledgements
        self._backlog.begin(acknowledgements.settle, sends_again=has_session)
        self._knows_stray = False

    def _receive(self, published: Sequence[Published]) -> None:
        """Take in what one read of the socket brought."""
        backlog, topics, waiting = self._backlog, self._topics, self._acknowledgements
        assert waiting is not None  # noqa: S101 - set before the first message
        if not len(backlog):
            self._oldest_ms = self._clock.monotonic_ms()
        ignored: list[int] = []
        for name, payload, packet_id, is_retained in published:
            ticket = waiting.expect(packet_id) if packet_id else None
            known = topics.get(name) or self._learn(name)
            topic, codec = known
            if is_retained:
                self._retained.inc()
                codec = None if codec is None else _RETAINED.get(codec)
            if codec is None:
                if ticket is not None:
                    ignored.append(ticket)
            elif not backlog.add(Message(topic, payload, codec), ticket):
                self._overload.drop(backlog.reached, len(backlog))
        waiting.settle(ignored)
        self._received.inc(len(published))
        self._rate.add(len(published))
        if backlog.is_heavy and not self._is_paused and self._connection is not None:
            self._is_paused = True
            self._paused.inc()
            self._connection.pause()
        if len(backlog):
            self._arrived.set()

    def _learn(self, name: bytes) -> tuple[str, str | None]:
        """Find the codec of a topic seen for the first time; None when nobody asked for it."""
        topic = name.decode("utf-8", "backslashreplace")
        codec = next(
            (asked.codec for asked in self._settings.subscriptions if matches(asked.topic, topic)),
            None,
        )
        if codec is None and not self._knows_stray:
            self._knows_stray = True
            log.warning(
                "%s: messages arrive on %s, which no subscription asks for; the broker's session of"
                " client id %r remembers an older configuration, they are ignored",
                self.name,
                topic,
                self._client_id,
            )
        if len(self._topics) >= _TOPICS_REMEMBERED:
            self._topics.clear()
        self._topics[name] = topic, codec
        return topic, codec

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
