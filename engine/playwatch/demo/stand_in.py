"""A PagerDuty for tests and demos: stateful, and able to fail on request.

It accepts Events API v2 at ``POST /v2/enqueue``, refuses what PagerDuty
refuses, opens and resolves incidents by (routing key, ``dedup_key``), holds its
callers to 120 events a minute and key, and keeps a journal. A body of more than
512,000 bytes is answered 413; PagerDuty states the limit but not its answer.

For people and scripts: ``GET /`` (a page), ``GET /incidents``, ``GET /journal``,
``GET /faults``, ``POST /faults`` and ``DELETE /faults`` (JSON). Routing keys are
masked in all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakSet

from aiohttp import web

from playwatch.demo.event_checks import event_in, problems
from playwatch.demo.fault_effects import answer_with, status_of
from playwatch.demo.listener import Listener
from playwatch.demo.pagerduty_faults import FaultKind, FaultScript, faults_in
from playwatch.demo.pages_book import Effect, Entry, PagesBook, masked
from playwatch.demo.rate_window import RateWindow
from playwatch.demo.stand_in_views import views
from playwatch.runtime.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from playwatch.demo.event_checks import Event
    from playwatch.demo.pages_book import Page
    from playwatch.ports import Clock

BODY_LIMIT: Final = 512_000
_READ_LIMIT: Final = 2 * 1024 * 1024
_RATE_LIMIT: Final = 120
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_INVALID: Final = 400
_ACCEPTED: Final = 202


class StandIn:
    """Plays PagerDuty on a loopback port.

    Parameters
    ----------
    host, port
        Where to listen; port 0 picks a free one.
    rate_limit
        Events a minute and routing key before 429; None for no limit.
    clock
        Stamps the journal and slides the rate limit.
    journal_limit
        How many requests the journal keeps.
    connection_limit
        How many sockets may be open; more are closed at once.

    Examples
    --------
    ``async with StandIn() as server:`` then point a channel's ``url`` at
    ``server.url``.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rate_limit: int | None = _RATE_LIMIT,
        clock: Clock | None = None,
        journal_limit: int = 20_000,
        connection_limit: int = 500,
    ) -> None:
        self._address = (host, port)
        self._clock = clock or SystemClock()
        self._window = RateWindow(rate_limit)
        self._connection_limit = connection_limit
        self._book = PagesBook(deque(maxlen=journal_limit))
        self._waiters: list[tuple[Callable[[StandIn], bool], asyncio.Future[None]]] = []
        self._stale: WeakSet[asyncio.Transport] = WeakSet()
        self._listener: Listener | None = None
        self._seen = 0
        self.faults = FaultScript()

    @property
    def base_url(self) -> str:
        """Where the pages for people are."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def url(self) -> str:
        """Where events are to be sent: a channel's ``url``."""
        return f"{self.base_url}/v2/enqueue"

    @property
    def journal(self) -> Sequence[Entry]:
        """Every request for an event, oldest first."""
        return tuple(self._book.journal)

    @property
    def requests(self) -> int:
        """How many requests for an event have come since the start."""
        return self._seen

    @property
    def pages(self) -> list[Page]:
        """Every incident, open and resolved, in the order of their opening."""
        return list(self._book.pages.values())

    def opened(self, routing_key: str | None = None) -> list[Page]:
        """Return the incidents that are open, of one routing key or of all."""
        return self._book.opened(routing_key)

    @property
    def open_keys(self) -> set[str]:
        """The ``dedup_key`` of every open incident."""
        return {page.dedup_key for page in self._book.opened()}

    def count(self, action: str, *effects: Effect) -> int:
        """Return how many requests of an action had one of these effects.

        Without effects: how many were accepted, whatever they did.
        """
        refused = {Effect.REFUSED, Effect.LOST}
        wanted = set(effects) or set(Effect) - refused
        counts = self._book.counts.items()
        return sum(count for (name, effect), count in counts if name == action and effect in wanted)

    @property
    def triggers(self) -> int:
        """How many triggers were accepted, repeats included."""
        return self.count("trigger")

    @property
    def resolves(self) -> int:
        """How many resolves were accepted, dropped ones included."""
        return self.count("resolve")

    def fail(self, kind: FaultKind | str, **how: object) -> None:
        """Add one fault to the script; ``how`` as in `PlannedFault`.

        Raises
        ------
        FaultError
            If the fault is not a possible one.
        """
        name = kind.value if isinstance(kind, FaultKind) else kind
        self.faults.add(*faults_in({"kind": name, **how}))

    async def wait_for(self, predicate: Callable[[StandIn], bool]) -> None:
        """Return once the predicate holds; it is asked after every request."""
        if predicate(self):
            return
        future = asyncio.get_running_loop().create_future()
        self._waiters.append((predicate, future))
        await future

    async def wait_for_events(self, count: int) -> None:
        """Return once so many requests for an event have come."""
        await self.wait_for(lambda server: server.requests >= count)

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        ListenError
            If the address cannot be bound.
        """
        app = web.Application(client_max_size=_READ_LIMIT)
        app.add_routes([web.post("/v2/enqueue", self._enqueue), *views(self)])
        host, port = self._address
        listener = Listener("the PagerDuty stand-in", app, self._connection_limit)
        self._address = (host, await listener.start(host, port))
        self._listener = listener

    async def close(self) -> None:
        """Stop listening and drop every connection, hanging ones too."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    async def _enqueue(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return web.Response(status=_INVALID)
        if transport in self._stale:
            self._stale.discard(transport)
            body = await request.read()
            self._note(event_in(body), body, 0, Effect.LOST)
            transport.close()
            return web.Response()
        body = await request.read()
        event = event_in(body)
        fault = self.faults.next_for(event or {})
        if fault is None:
            status, told = self._judge(body, event)
            return web.json_response(told, status=status)
        status, told = status_of(fault), {}
        if fault.kind.is_ingested:
            status, told = self._judge(body, event)
        else:
            self._note(event, body, status, Effect.REFUSED if status else Effect.LOST)
        if fault.kind is FaultKind.STALE:
            self._stale.add(transport)
        return await answer_with(fault, request, status, told)

    def _judge(self, body: bytes, event: Event | None) -> tuple[int, Event]:
        """Return PagerDuty's answer to an event, and let it take effect."""
        now_at = self._clock.wall_ms()
        key = str((event or {}).get("routing_key", ""))
        if len(body) > BODY_LIMIT:
            status, told = _TOO_LARGE, _refusal("Event object is too large (maximum is 512 KB)")
        elif event is None:
            status, told = _INVALID, _refusal("Event object is not a JSON object")
        elif not self._window.admits(key, self._clock.monotonic_ms()):
            status = _TOO_MANY
            told = {"status": "throttle exceeded", "message": "Too many requests"}
        elif found := problems(event):
            status, told = _INVALID, _refusal(*found)
        else:
            effect, dedup_key = self._book.ingest(event, now_at)
            self._note({**event, "dedup_key": dedup_key}, body, _ACCEPTED, effect)
            done = {"status": "success", "message": "Event processed", "dedup_key": dedup_key}
            return _ACCEPTED, dict(done)
        self._note(event, body, status, Effect.REFUSED)
        return status, told

    def _note(self, event: Event | None, body: bytes, status: int, effect: Effect) -> None:
        known = event or {}
        key = masked(known.get("routing_key"))
        entry = Entry(
            at=self._clock.wall_ms(),
            monotonic_ms=self._clock.monotonic_ms(),
            key=key,
            action=str(known.get("event_action", "")),
            dedup_key=str(known.get("dedup_key", "")),
            status=status,
            effect=effect,
            event=event and {**event, "routing_key": key},
            size=len(body),
        )
        self._book.write(entry)
        self._seen += 1
        for waiter in list(self._waiters):
            predicate, future = waiter
            if future.done():
                self._waiters.remove(waiter)
            elif predicate(self):
                self._waiters.remove(waiter)
                future.set_result(None)


def _refusal(*errors: str) -> Event:
    return {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": list(errors),
    }
