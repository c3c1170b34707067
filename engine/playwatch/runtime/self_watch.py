"""The loop that watches the watcher: hears who speaks, commits self-alerts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from playwatch.core.deliveries import Changes
from playwatch.core.rules import AlertType
from playwatch.core.samples import Instant
from playwatch.errors import StoreError
from playwatch.ingest.topics import matches
from playwatch.runtime.complaints import (
    PREFIX,
    QUIET,
    SOURCE,
    SOURCES,
    SUBSCRIPTION,
    Complaints,
    is_self_alert,
)
from playwatch.runtime.quiet import CROWD, Quiet
from playwatch.runtime.self_alerts import SelfAlerts
from playwatch.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from playwatch.config.quiet import QuietAfter
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.routing import Route
    from playwatch.core.silences import MuteWindow, Silence
    from playwatch.ports import Clock, Store
    from playwatch.runtime.vitals import Vitals

    Quieting = Sequence[Silence | MuteWindow]

PART: Final = "quiet"
"""Its part of a snapshot."""

TICK_S: Final = 1.0
_STORE_RETRY_S: Final = 1.0
_TOPICS_REMEMBERED: Final = 200_000

log = logging.getLogger("playwatch.self")


class Subscription(Protocol):
    """What is subscribed to."""

    @property
    def topic(self) -> str:
        """The topic filter."""

    @property
    def quiet_after(self) -> QuietAfter:
        """How long it may be silent."""


class SelfWatch:
    """Tells those who want to hear it when the engine cannot do its work.

    Parameters
    ----------
    subscriptions
        What is subscribed to, with how long each may be silent.
    routes
        The channels with ``self_alerts: true``.
    wake_outbox
        Called with deliveries that were just committed.
    installation
        The name of this installation.
    telemetry
        Counts incidents.
    """

    def __init__(
        self,
        subscriptions: Iterable[Subscription],
        routes: Sequence[Route],
        store: Store,
        clock: Clock,
        wake_outbox: Callable[[Iterable[Delivery]], None],
        *,
        installation: str,
        telemetry: Telemetry | None = None,
    ) -> None:
        patience = _patience(subscriptions)
        self._filters = tuple(patience)
        self._subscription_of: dict[str, str] = {}
        self._quiet = Quiet(patience)
        self._complaints = Complaints()
        self._alerts = SelfAlerts(routes, installation, self._is_forgotten)
        self._store = store
        self._clock = clock
        self._wake_outbox = wake_outbox
        self._telemetry = telemetry or Telemetry()
        self._crowds: frozenset[str] = frozenset()

    @property
    def open_incidents(self) -> list[Incident]:
        """Every open incident about the engine."""
        return self._alerts.open_incidents

    def reconfigure(self, subscriptions: Iterable[Subscription], routes: Sequence[Route]) -> None:
        """Go on with other subscriptions and channels; what was learned stays."""
        patience = _patience(subscriptions)
        self._filters = tuple(patience)
        self._subscription_of.clear()
        self._quiet.reconfigure(patience)
        self._alerts.routes = tuple(routes)

    async def withdraw(self, channel: str, *, sends_resolves: bool) -> list[str]:
        """Let every open incident about the engine be over for one channel; return their ids."""
        deliveries = self._alerts.withdraw(channel, self._clock.wall_ms())
        if not sends_resolves or not deliveries:
            return []
        await self._commit(Changes(deliveries=deliveries))
        self._wake_outbox(deliveries)
        return [each.incident_id for each in deliveries]

    def heard(self, heard: Mapping[str, Collection[str]]) -> None:
        """Note the topics that one read brought, with the sources named there.

        Costs about 0.2 µs a topic.
        """
        by_subscription: dict[str, set[str]] = {}
        for topic, sources in heard.items():
            subscription = self._subscription_of.get(topic) or self._subscription(topic)
            speakers = by_subscription.get(subscription)
            if speakers is None:
                speakers = by_subscription[subscription] = set()
            if sources:
                speakers.update(sources)
        monotonic_ms = self._clock.monotonic_ms()
        for subscription, sources in by_subscription.items():
            self._quiet.heard(subscription, sources, monotonic_ms)

    def parts(self) -> dict[str, bytes]:
        """Return what a snapshot should hold of it."""
        return {PART: self._quiet.state()}

    async def recover(self) -> None:
        """Take over what an earlier engine learned and left open.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        now = self._now()
        saved = await self._store.load_snapshot()
        if saved is not None and PART in saved[0]:
            try:
                self._quiet.restore(saved[0][PART])
            except ValueError as error:
                log.warning("what was learned of silences %s: it is learned anew", error)
        mine = [one for one in await self._store.open_incidents() if is_self_alert(one)]
        ids = [incident.id for incident in mine]
        routed, withheld = await self._store.routed(ids), await self._store.withheld(ids)
        self._alerts.adopt(mine, routed, now, withheld)
        self._tell_open()
        for incident in mine:
            about = dict(incident.breakdowns)
            if incident.rule == PREFIX + QUIET and SOURCES not in about:
                silent_s = max(now.at - incident.started_at, 0) / 1000
                self._quiet.miss(about.get(SUBSCRIPTION, ""), about.get(SOURCE, ""), silent_s)

    async def run(
        self, vitals: Callable[[], Vitals], quiet: Callable[[], Quieting] = tuple
    ) -> None:
        """Look once a second how the engine is, until cancelled.

        Parameters
        ----------
        vitals
            Tells how it is.
        quiet
            Returns the silences and mute windows that there are.
        """
        while True:
            await self._clock.sleep(TICK_S)
            await self._look(vitals(), quiet())

    async def _look(self, vitals: Vitals, quiet: Quieting) -> None:
        now = self._now()
        self._quiet.tick(now.monotonic_ms, is_listening=vitals.can_store and not vitals.away)
        for name in self._quiet.crowds - self._crowds:
            log.info("%s has more than %d sources: it is listened to as a whole", name, CROWD)
        self._crowds = self._quiet.crowds
        complaints = self._complaints.of(vitals, self._quiet.silences())
        changes = self._alerts.tick(complaints, now, quiet)
        if changes:
            await self._commit(changes)
            self._wake_outbox(changes.deliveries)
            self._tell_open()
            for incident in changes.incidents:
                if incident.is_open:
                    self._telemetry.incidents_opened.labels(AlertType.ENGINE.value).inc()
                what = "about the engine" if incident.is_open else f"over ({incident.reason})"
                facts = {"incident": incident.id}
                log.warning("incident %s %s: %s", incident.id, what, incident.summary, extra=facts)

    def _tell_open(self) -> None:
        count = len(self._alerts.open_incidents)
        self._telemetry.incidents_open.labels(AlertType.ENGINE.value).set(count)

    async def _commit(self, changes: Changes) -> None:
        """Commit, trying again for as long as the store refuses."""
        while True:
            try:
                await self._store.commit(changes)
            except StoreError:
                # Whoever else needs the store says so; it heals for all alike.
                await self._clock.sleep(_STORE_RETRY_S)
            else:
                return

    def _subscription(self, topic: str) -> str:
        """Return the first filter that a topic passes; empty for none."""
        found = next((each for each in self._filters if matches(each, topic)), "")
        if len(self._subscription_of) >= _TOPICS_REMEMBERED:
            self._subscription_of.clear()
        self._subscription_of[topic] = found
        return found

    def _is_forgotten(self, incident: Incident) -> bool:
        about = dict(incident.breakdowns)
        return incident.rule == PREFIX + QUIET and not self._quiet.is_known(
            about.get(SUBSCRIPTION, ""), about.get(SOURCE, "")
        )

    def _now(self) -> Instant:
        return Instant(self._clock.wall_ms(), self._clock.monotonic_ms())


def _patience(subscriptions: Iterable[Subscription]) -> dict[str, QuietAfter]:
    return {each.topic: each.quiet_after for each in subscriptions}
