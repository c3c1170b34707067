"""The parts of an engine that evaluate and deliver, put together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from playwatch.channels import open_channel
from playwatch.config.anomalies import everything_watched
from playwatch.config.routes import route_of, self_alert_route_of
from playwatch.core.intake import Intake
from playwatch.core.key_tables import KeyTables
from playwatch.core.pipeline import Pipeline
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.ingest.recordings_writer import RecordingWriter
from playwatch.runtime.dry import DryChannel
from playwatch.runtime.engine_channels import EngineChannels
from playwatch.runtime.evaluate import Evaluator
from playwatch.runtime.heartbeat import Heartbeat
from playwatch.runtime.history import HistoryKeeper
from playwatch.runtime.housekeeping import keep_house, tend
from playwatch.runtime.keys import former_channels, moved_channels
from playwatch.runtime.letter_desk import EngineLetters
from playwatch.runtime.news import News
from playwatch.runtime.outbox import Outbox
from playwatch.runtime.readings import Readings
from playwatch.runtime.refused import RefusalLog
from playwatch.runtime.reload import Parts, Reloader
from playwatch.runtime.self_watch import SelfWatch
from playwatch.runtime.standings import ages_of, states_of
from playwatch.runtime.timed_detector import timed
from playwatch.runtime.vitals import vitals_of
from playwatch.store.history import History
from playwatch.store.sqlite import SqliteStore
from playwatch.telemetry import Telemetry
from playwatch.web.channel_api import ChannelApi
from playwatch.web.letter_api import LetterApi
from playwatch.web.pages.house import Pages

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine, Mapping
    from contextlib import AsyncExitStack
    from pathlib import Path

    from playwatch.config.schema import ChannelSettings, Settings
    from playwatch.core.metrics import Catalogue
    from playwatch.core.routing import Route
    from playwatch.ports import Channel, Clock, Recorder, Source, Store
    from playwatch.runtime.desk import Desk
    from playwatch.runtime.health import EngineHealth
    from playwatch.runtime.roster import Roster
    from playwatch.runtime.vitals import Vitals
    from playwatch.web.server import Part


class Works:
    """The parts that evaluate and deliver, and what they share.

    Parameters
    ----------
    settings
        With the channels that were added at run time.
    roster
        Has completed them.
    """

    def __init__(
        self,
        settings: Settings,
        roster: Roster,
        store: Store,
        clock: Clock,
        rng: random.Random,
        stack: AsyncExitStack,
        installation: str,
        *,
        is_dry_run: bool,
    ) -> None:
        self.installation = installation
        self.telemetry = Telemetry()
        self._settings, self._store, self._clock, self._stack = settings, store, clock, stack
        self._is_dry_run = is_dry_run
        self._roster = roster
        self._channels = {one.name: self._open_one(one) for one in settings.channels}
        rates = {one.name: one.rate_limit for one in settings.channels}
        unrolled = [one.name for one in settings.channels if not one.rolls_up]
        surroundings = (store, clock, self.telemetry, rng)
        self.outbox = Outbox(
            self._channels.values(), *surroundings, rate_limits=rates, unrolled=unrolled
        )
        self._open_former_channels()
        self.self_watch = SelfWatch(
            settings.mqtt.subscriptions,
            _self_routes(settings, self._channels),
            store,
            clock,
            self.outbox.wake,
            installation=installation,
            telemetry=self.telemetry,
        )
        self._series = SeriesTable(settings.limits.series_per_metric)
        self._sequences = SequenceTracker()
        self._tables = KeyTables()
        self._desk: EngineChannels | None = None

    def _open_former_channels(self) -> None:
        """Let channels that are configured no more send what they still have to send."""
        roster, page_url = self._roster, self._settings.web.page_url
        for channel, rate_limit in former_channels(
            roster.ring, self._channels, self._clock, page_url, roster.guard
        ):
            self._stack.push_async_callback(channel.close)
            self.outbox.put(channel, rate_limit, rolls_up=False)
            self.outbox.retire(channel.name)
        for channel in moved_channels(
            roster.ring, self._settings.channels, self._clock, page_url, roster.guard
        ):
            self._stack.push_async_callback(channel.close)
            self.outbox.remember(channel)

    def evaluator(self, record: Path | None) -> Evaluator:
        """Return what owns the core; nothing is recovered yet."""
        settings, catalogue = self._settings, self._settings.catalogue()
        rules = everything_watched(settings)
        routes = [_route(one, self._channels[one.name]) for one in settings.channels]
        return Evaluator(
            Pipeline(
                catalogue,
                self._series,
                rules,
                routes,
                self.installation,
                opens=timed(self.telemetry.anomaly_score.time),
            ),
            self._intake(catalogue),
            self._sequences,
            catalogue,
            self._store,
            self._clock,
            self.telemetry,
            RefusalLog(),
            self.outbox.wake,
            mute=settings.mute_windows(),
            recorder=self._recorder(record),
            heard=self.self_watch.heard,
            extra_parts=self.self_watch.parts,
        )

    def reloader(
        self, evaluator: Evaluator, written: Settings, load: Callable[[], Settings]
    ) -> Reloader:
        """Return what puts another configuration into these parts.

        Parameters
        ----------
        written
            The settings in force as the file has them.
        """

        def tell(settings: Settings, channels: Mapping[str, Channel]) -> None:
            routes = _self_routes(settings, channels)
            self.self_watch.reconfigure(settings.mqtt.subscriptions, routes)

        parts = Parts(
            load,
            self._roster.complete,
            self._roster.renew_keys,
            self._open_one,
            self._intake,
            _route,
            tell,
            self._store.add_audit,
        )
        return Reloader(
            written,
            self._settings.channels,
            self._channels,
            parts,
            evaluator,
            self.outbox,
            self._clock,
            self.telemetry,
        )

    def desks(self, reloader: Reloader, evaluator: Evaluator) -> list[Part]:
        """Return what lets people change channels and deliveries over HTTP."""
        letters = EngineLetters(self._store, self._clock, self.outbox)
        channels = self._channel_desk(reloader, evaluator)
        return [ChannelApi(channels), LetterApi(letters, self._store)]

    def _channel_desk(self, reloader: Reloader, evaluator: Evaluator) -> EngineChannels:
        """Return the one desk where channels are changed."""
        if self._desk is None:
            self._desk = EngineChannels(
                self._store,
                self._clock,
                self._roster,
                reloader,
                evaluator,
                self.self_watch,
                self.outbox,
            )
        return self._desk

    def watching(
        self, source: Source, health: EngineHealth, evaluator: Evaluator
    ) -> list[Coroutine[None, None, None]]:
        """Return what watches the engine itself: its own alerts, and the dead-man's switch."""

        def vitals() -> Vitals:
            return vitals_of([source], evaluator, self.outbox, self._roster.troubles)

        loops = [self.self_watch.run(vitals, lambda: evaluator.pipeline.quiet)]
        wanted = self._settings.heartbeat
        if wanted is not None and not self._is_dry_run:
            beat = Heartbeat(
                wanted, health.complaints, evaluator.paused, self._clock, self.telemetry
            )
            loops.append(beat.run())
        if not self._is_dry_run:
            loops.append(keep_house(self._settings.store, self._clock))
        if isinstance(self._store, SqliteStore) and (store_log := self._store.log) is not None:
            self.telemetry.tell_log(store_log.size, store_log.attempts)
            loops.append(tend(store_log, self._clock))
        return loops

    def pages(
        self,
        reader: Store,
        evaluator: Evaluator,
        reloader: Reloader,
        desk: Desk,
        health: EngineHealth,
        source: Source,
    ) -> Pages:
        """Return what people look at; its loops are yet to run."""
        readings = Readings(lambda: evaluator.pipeline.watches, self._clock)
        self.telemetry.tell_rules(lambda: states_of(evaluator.pipeline.watches))
        self.telemetry.tell_models(
            lambda: ages_of(evaluator.pipeline.watches, self._clock.wall_ms())
        )
        history = self._history(evaluator, readings)
        return Pages(
            reloader=reloader,
            store=reader,
            desk=desk,
            channels=self._channel_desk(reloader, evaluator),
            evaluator=evaluator,
            outbox=self.outbox,
            health=health,
            telemetry=self.telemetry,
            readings=readings,
            history=history,
            news=News(lambda: evaluator.pipeline.open_incidents, self._clock),
            sources=[source],
            clock=self._clock,
        )

    def _history(self, evaluator: Evaluator, readings: Readings) -> HistoryKeeper | None:
        """Return the keeper of a history, where one is to be kept."""
        store = self._settings.store
        if self._is_dry_run or not store.retention.history:
            return None
        history = History.open(store.history_path)
        self._stack.callback(history.close)
        keeper = HistoryKeeper(history, evaluator, readings, self._clock, store.retention.history)
        evaluator.keep, evaluator.departing.forget = keeper.count, keeper.forget
        return keeper

    def _open_one(self, one: ChannelSettings) -> Channel:
        channel = open_channel(
            one,
            clock=self._clock,
            page_url=self._settings.web.page_url,
            key_of=self._roster.ring.key_of,
            guard=self._roster.guard_of(one.name),
        )
        return DryChannel(channel, sys.stdout) if self._is_dry_run else channel

    def _intake(self, catalogue: Catalogue) -> Intake:
        limits = self._settings.limits
        return Intake(
            catalogue,
            self._series,
            self._sequences,
            tables=self._tables,
            max_age_s=limits.max_age_s,
            max_bytes=limits.max_payload_bytes,
        )

    def _recorder(self, record: Path | None) -> Recorder | None:
        if record is None:
            return None
        started = Instant(self._clock.wall_ms(), self._clock.monotonic_ms())
        writer = RecordingWriter.open(record, started, installation=self.installation)
        self._stack.callback(writer.close)
        return writer


def _route(settings: ChannelSettings, channel: Channel) -> Route:
    return route_of(settings, channel.key_fingerprint)


def _self_routes(settings: Settings, channels: Mapping[str, Channel]) -> list[Route]:
    routes = (
        self_alert_route_of(one, channels[one.name].key_fingerprint) for one in settings.channels
    )
    return [route for route in routes if route is not None]
