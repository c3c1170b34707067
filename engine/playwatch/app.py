"""The only wiring: builds every part of the engine, starts it, stops it in order."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.channels import open_channel
from playwatch.config.quantities import split_address
from playwatch.core.intake import Intake
from playwatch.core.pipeline import Pipeline
from playwatch.core.routing import ALL_TYPES, Route
from playwatch.core.rules import AlertType
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.errors import StoreError
from playwatch.ingest.embedded import EmbeddedBroker
from playwatch.ingest.mqtt import MqttSource
from playwatch.runtime.clock import SystemClock
from playwatch.runtime.dry import DryChannel
from playwatch.runtime.evaluate import Evaluator
from playwatch.runtime.health import EngineHealth
from playwatch.runtime.outbox import Outbox
from playwatch.runtime.refused import RefusalLog
from playwatch.store.memory import MemoryStore
from playwatch.store.sqlite import SqliteStore
from playwatch.telemetry import Telemetry
from playwatch.web.server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.config.schema import ChannelSettings, MqttSettings, Settings
    from playwatch.ports import Channel, Clock, Store

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
    """

    broker_url: str
    web_url: str
    health: EngineHealth
    telemetry: Telemetry


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    is_dry_run: bool = False,
) -> AsyncIterator[Engine]:
    """Run an engine while the context lasts.

    Parameters
    ----------
    is_dry_run
        Evaluate for real, but log what would be sent, and store nothing.

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
    telemetry = Telemetry()
    async with AsyncExitStack() as stack:
        store = await _store(settings, clock, is_dry_run=is_dry_run)
        stack.push_async_callback(store.close)
        mqtt = await _broker(settings.mqtt, stack, is_dry_run=is_dry_run)
        channels = [_channel(one, clock, is_dry_run=is_dry_run) for one in settings.channels]
        for channel in channels:
            stack.push_async_callback(channel.close)
        outbox = Outbox(channels, store, clock, telemetry, rng)
        evaluator = await _evaluator(settings, channels, store, clock, telemetry, outbox)
        await evaluator.recover()
        client_id = f"playwatch-{(await store.installation())[:12]}"
        source = MqttSource(mqtt, telemetry, clock, client_id=client_id, rng=rng)
        health = EngineHealth([source], evaluator, outbox)
        web_url = ""
        if settings.web.listen is not None:
            host, port = split_address(settings.web.listen)
            web_url = await stack.enter_async_context(serving(host, port, telemetry, health))
        async with asyncio.TaskGroup() as tasks:
            outbox.start(tasks)
            loops = [
                tasks.create_task(evaluator.follow(source), name="evaluate"),
                tasks.create_task(evaluator.tick(), name="tick"),
                tasks.create_task(evaluator.keep_snapshots(), name="snapshots"),
            ]
            subscription = tasks.create_task(source.run(), name="subscribe")
            try:
                yield Engine(source.name, web_url, health, telemetry)
            finally:
                await _stop(evaluator, loops, outbox, subscription)


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


async def _evaluator(
    settings: Settings,
    channels: list[Channel],
    store: Store,
    clock: Clock,
    telemetry: Telemetry,
    outbox: Outbox,
) -> Evaluator:
    catalogue = settings.catalogue()
    series = SeriesTable(settings.limits.series_per_metric)
    sequences = SequenceTracker()
    routes = [
        Route(channel.name, channel.key_fingerprint, _types(one.alert_types))
        for one, channel in zip(settings.channels, channels, strict=True)
    ]
    installation = await store.installation()
    pipeline = Pipeline(catalogue, series, settings.core_rules(), routes, installation)
    intake = Intake(
        catalogue,
        series,
        sequences,
        max_age_s=settings.limits.max_age_s,
        max_bytes=settings.limits.max_payload_bytes,
    )
    return Evaluator(
        pipeline,
        intake,
        sequences,
        catalogue,
        store,
        clock,
        telemetry,
        RefusalLog(),
        outbox.wake,
    )


async def _store(settings: Settings, clock: Clock, *, is_dry_run: bool) -> Store:
    if is_dry_run:
        return MemoryStore()
    return await SqliteStore.open(settings.store.path, clock=clock)


async def _broker(mqtt: MqttSettings, stack: AsyncExitStack, *, is_dry_run: bool) -> MqttSettings:
    """Return how to reach the broker, after starting our own where asked to."""
    if is_dry_run:
        # Its own name: the session of a running engine must not be taken over.
        mqtt = mqtt.model_copy(update={"client_id": None, "session_expiry_s": 0.0})
    if not mqtt.embedded:
        return mqtt
    broker = await stack.enter_async_context(EmbeddedBroker(mqtt.listen))
    return mqtt.model_copy(update={"url": broker.url, "protocol": "3.1.1"})


def _channel(settings: ChannelSettings, clock: Clock, *, is_dry_run: bool) -> Channel:
    channel: Channel = open_channel(settings, clock=clock)
    return DryChannel(channel, sys.stdout) if is_dry_run else channel


def _types(alert_types: str) -> frozenset[AlertType]:
    return ALL_TYPES if alert_types == "all" else frozenset({AlertType(alert_types)})
