"""The only wiring: builds every part of the engine, starts it, stops it in order."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.channels.guard import AddressGuard
from playwatch.core.audit import AuditEntry
from playwatch.errors import StoreError
from playwatch.ingest.embedded import EmbeddedBroker
from playwatch.ingest.mqtt import MqttSource
from playwatch.runtime.clock import SystemClock
from playwatch.runtime.desk import EngineDesk
from playwatch.runtime.health import EngineHealth
from playwatch.runtime.roster import Roster
from playwatch.store.keyring import KeyRing
from playwatch.store.memory import MemoryStore
from playwatch.store.sqlite import SqliteStore
from playwatch.web.gate import Gate
from playwatch.web.login import Login
from playwatch.web.machines import machine_parts
from playwatch.web.server import Operations, serving
from playwatch.works import Works

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
    from pathlib import Path

    from playwatch.config.schema import MqttSettings, Settings
    from playwatch.config.web import WebSettings
    from playwatch.ports import Clock, Store
    from playwatch.runtime.evaluate import Evaluator
    from playwatch.runtime.outbox import Outbox
    from playwatch.runtime.reload import Reloader
    from playwatch.telemetry import Telemetry
    from playwatch.web.pages.house import Pages
    from playwatch.web.server import Part

GRACE_S: Final = 10.0
"""How long a stop waits for what is under way."""

log = logging.getLogger("playwatch")


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine, as those who started it see it.

    Attributes
    ----------
    broker_url
        The broker that samples come from.
    web_url
        Where health and metrics are served; empty when they are not.
    health
        Tells what keeps it from working.
    telemetry
        Its own metrics.
    reloader
        Puts another configuration into it.
    """

    broker_url: str
    web_url: str
    health: EngineHealth
    telemetry: Telemetry
    reloader: Reloader


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    is_dry_run: bool = False,
    load: Callable[[], Settings] | None = None,
    record: Path | None = None,
) -> AsyncIterator[Engine]:
    """Run an engine while the context lasts.

    Parameters
    ----------
    is_dry_run
        Evaluate for real, but log what would be sent, and store nothing.
    load
        Reads the configuration again, for a reload; the same by default.
    record
        A file to write down what is read in, so that it can be replayed.

    Raises
    ------
    PlaywatchError
        On entering, when a store, an address or a broker of our own cannot be
        had. A broker that is away is no error: the engine waits for it.

    Notes
    -----
    1. Open the store and its lock, so that a second engine ends here.
    2. Take over what the last engine left: snapshot, open incidents.
    3. Listen, subscribe, evaluate, deliver.
    4. At the end: stop reading between two batches, save a snapshot, leave the
       broker without ending the session, wait for answers in flight.
    """
    clock = clock or SystemClock()
    rng = rng or random.Random()  # noqa: S311 - jitter, not secrets
    async with AsyncExitStack() as stack:
        store = await _store(settings, clock, is_dry_run=is_dry_run)
        stack.push_async_callback(store.close)
        mqtt = await _broker(settings.mqtt, stack, is_dry_run=is_dry_run)
        installation = await store.installation()
        roster, whole = await _roster(settings, store, is_dry_run=is_dry_run)
        works = Works(whole, roster, store, clock, rng, stack, installation, is_dry_run=is_dry_run)
        evaluator, outbox = works.evaluator(record), works.outbox
        reloader = works.reloader(evaluator, settings, load or (lambda: settings))
        stack.push_async_callback(reloader.close)
        await evaluator.recover()
        await works.self_watch.recover()
        client = f"playwatch-{installation[:12]}"
        source = MqttSource(mqtt, works.telemetry, clock, client_id=client, rng=rng)
        health = EngineHealth([source], evaluator, outbox, roster)
        desk = EngineDesk(store, clock, evaluator)
        reader = await _reader(settings, store, stack, is_dry_run=is_dry_run)
        pages = works.pages(reader, evaluator, reloader, desk, health, source)
        programs = [*works.desks(reloader, evaluator), *machine_parts(pages, can_reload=bool(load))]
        parts: list[Part] = [Operations(works.telemetry, health), *programs, pages]
        web_url = await _web(settings.web, parts, clock, stack)
        loops = [*works.watching(source, health, evaluator), roster.keep_tidy(clock)]
        async with _at_work(evaluator, outbox, source, pages, loops):
            yield Engine(source.name, web_url, health, works.telemetry, reloader)


@asynccontextmanager
async def _at_work(
    evaluator: Evaluator,
    outbox: Outbox,
    source: MqttSource,
    pages: Pages,
    more: Iterable[Coroutine[None, None, None]],
) -> AsyncIterator[None]:
    """Run every loop while the context lasts, then stop them in order."""
    async with asyncio.TaskGroup() as tasks:
        outbox.start(tasks)
        loops = [
            tasks.create_task(evaluator.follow(source), name="evaluate"),
            tasks.create_task(evaluator.tick(), name="tick"),
            tasks.create_task(evaluator.keep_snapshots(), name="snapshots"),
            tasks.create_task(pages.run(), name="pages"),
            *(tasks.create_task(one) for one in more),
        ]
        subscription = tasks.create_task(source.run(), name="subscribe")
        try:
            yield
        finally:
            await _stop(evaluator, loops, outbox, subscription)
            await pages.stop()


async def _stop(
    evaluator: Evaluator,
    loops: list[asyncio.Task[None]],
    outbox: Outbox,
    subscription: asyncio.Task[None],
) -> None:
    """Stop between two batches, keep what is known, let answers come in."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S), evaluator.paused():
            for loop in loops:
                loop.cancel()
    for loop in loops:
        loop.cancel()
    try:
        async with asyncio.timeout(GRACE_S):
            await evaluator.snapshot()
    except (StoreError, TimeoutError) as error:
        log.error("no snapshot at the end: %s", error)  # noqa: TRY400 - a sentence
    subscription.cancel()
    await outbox.stop(GRACE_S)


async def _web(
    settings: WebSettings, parts: list[Part], clock: Clock, stack: AsyncExitStack
) -> str:
    """Serve where it is wanted; return the address, or an empty text."""
    if settings.listen is None:
        return ""
    gate = Gate.of(settings, clock)
    served = serving(settings.listen, gate, [Login(gate, clock), *parts], settings.tls)
    url = await stack.enter_async_context(served)
    if not settings.is_local and settings.tls is None:
        log.warning("%s can be reached from other machines without encryption", url)
    return url


async def _roster(settings: Settings, store: Store, *, is_dry_run: bool) -> tuple[Roster, Settings]:
    """Return the roster, and the settings with the channels that were added at run time."""
    ring = await _ring(settings, store, is_dry_run=is_dry_run)
    roster = Roster(store, ring, AddressGuard(settings.web.channel_hosts))
    whole = await roster.complete(settings)
    await roster.renew_keys(whole)
    return roster, whole


async def _ring(settings: Settings, store: Store, *, is_dry_run: bool) -> KeyRing:
    """Return the key ring; a dry run borrows it, with the channels and silences people made."""
    path = settings.store.path
    if not is_dry_run:
        return KeyRing.open(path)
    if not settings.store.path.exists():
        return KeyRing(None)
    try:
        held = KeyRing.open(path).held
        async with AsyncExitStack() as stack:
            kept = await SqliteStore.open(path, read_only=True)
            stack.push_async_callback(kept.close)
            for channel in await kept.channels():
                what = AuditEntry(
                    channel.added_at, channel.added_by, "channel borrowed", channel.name
                )
                await store.put_channel(channel, what)
            for silence in await kept.silences(0):
                await store.add_silence(silence)
    except StoreError as error:
        log.warning("without the channels and silences made at run time: %s", error)
        return KeyRing(None)
    return KeyRing(None, held)


async def _store(settings: Settings, clock: Clock, *, is_dry_run: bool) -> Store:
    if is_dry_run:
        return MemoryStore()
    return await SqliteStore.open(settings.store.path, clock=clock)


async def _reader(
    settings: Settings, store: Store, stack: AsyncExitStack, *, is_dry_run: bool
) -> Store:
    """Return what pages and lists read: beside the engine, so that no incident waits for them."""
    if is_dry_run or settings.web.listen is None:
        return store
    reader = await SqliteStore.open(settings.store.path, read_only=True)
    stack.push_async_callback(reader.close)
    return reader


async def _broker(mqtt: MqttSettings, stack: AsyncExitStack, *, is_dry_run: bool) -> MqttSettings:
    """Return how to reach the broker, after starting our own where asked to."""
    if is_dry_run:
        # Its own name: the session of a running engine must not be taken over.
        mqtt = mqtt.model_copy(update={"client_id": None, "session_expiry_s": 0.0})
    if not mqtt.embedded:
        return mqtt
    broker = await stack.enter_async_context(EmbeddedBroker(mqtt.listen))
    return mqtt.model_copy(update={"url": broker.url, "protocol": "3.1.1"})
