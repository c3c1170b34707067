"""The roll-ups of one channel: opened when its queue is too long, ended with their incidents."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from playwatch.core import rollups
from playwatch.core.decisions import decision_of
from playwatch.core.deliveries import Action, Changes, DeliveryStatus
from playwatch.core.incidents import Change
from playwatch.core.rollups import Member, is_rollup
from playwatch.errors import StoreError
from playwatch.ports import AttemptRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.rules import Severity
    from playwatch.ports import Clock, Store
    from playwatch.runtime.lane_log import LaneLog
    from playwatch.runtime.records import Recorder

_END_OF_TIME: Final = 2**62
_MOST: Final = 100_000
_NEWS_MS: Final = 60_000
"""How long after a roll-up was told its growth is told again, at the soonest."""

log = logging.getLogger("playwatch.delivery")


class RollUps:
    """Keeps what the roll-ups of one channel stand for; the store remembers it.

    Parameters
    ----------
    within_a_minute
        Tells how many messages the channel may send until a minute from now,
        a monotonic time; None while nothing is rolled up.
    """

    def __init__(
        self,
        channel: str,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        lane_log: LaneLog,
        within_a_minute: Callable[[int], int | None],
    ) -> None:
        self._channel = channel
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._log = lane_log
        self._within_a_minute = within_a_minute
        self._members: dict[str, Member] = {}
        self._open: dict[str, Incident] = {}
        self._told_ms: dict[str, int] = {}
        self._grown: set[str] = set()
        self._covered: dict[str, Delivery] = {}
        self._has_news = True
        self._is_unsure = False
        self._decided_at = 0

    async def recover(self) -> None:
        """Take over what an earlier process left."""
        stored = await self._store.open_incidents()
        mine = [one for one in stored if is_rollup(one) and one.breakdowns[0][1] == self._channel]
        self._open = {one.id: one for one in mine}
        if not mine:
            return
        told = {one.id for one in await self._store.routed(list(self._open))}
        self._grown = {
            one.id for one in mine if rollups.message(one, Action.TRIGGER, 0).id not in told
        }
        decided = await self._store.decided(rollups.word(self._channel))
        self._decided_at = max((one.at for one in decided), default=self._decided_at)
        members = {one.incident_id: one for one in map(rollups.member_of, decided)}
        routed = await self._store.routed(list(members))
        alone = {one.incident_id for one in routed if one.channel == self._channel and one.attempts}
        self._members = {
            name: one
            for name, one in members.items()
            if one.rollup_id in self._open and name not in alone
        }

    def expect(self, deliveries: Iterable[Delivery]) -> None:
        """Look at what was just committed: triggers make the queue longer, resolves end members."""
        for each in deliveries:
            if not self.covers(each) and each.action is Action.TRIGGER:
                self._has_news = True

    def covers(self, delivery: Delivery) -> bool:
        """Return whether a roll-up tells this, so that it is not sent; it is then taken."""
        member = self._members.get(delivery.incident_id)
        if member is None:
            return False
        if delivery.action is Action.TRIGGER:
            is_covered = delivery.incident.severity <= member.severity
            if not is_covered:  # it has risen
                self.leave(delivery.incident_id)
        else:
            is_covered = not member.is_doubted
        if is_covered:
            self._covered[delivery.id] = delivery
        return is_covered

    def leave(self, incident_id: str) -> None:
        """Count an incident out: it is told on its own."""
        self._members.pop(incident_id, None)

    async def step(self, busy: Collection[str], doubted: Collection[str]) -> None:
        """Roll up what would wait too long, and end what has no member left.

        Parameters
        ----------
        busy
            Ids of deliveries in flight.
        doubted
            Ids of those that an earlier process may have sent.
        """
        if self._is_unsure:  # the store may have kept what it said it could not
            await self.recover()
            self._is_unsure = False
        if self._has_news:
            self._has_news = False
            await self._look(busy, doubted)
        if self._covered:
            await self._settle(list(self._covered.values()))
        for name in [name for name in self._grown if self._wait_ms(name) == 0]:
            await self._tell_growth(self._open[name])
        if self._open:
            await self._end()

    def wait_s(self, others: float | None) -> float | None:
        """Return how long nothing is to be done here either; None for until a wake-up."""
        waits = [self._wait_ms(name) / 1000 for name in self._grown]
        return min(waits if others is None else [*waits, others], default=None)

    def _wait_ms(self, rollup_id: str) -> int:
        """Return how long it takes until a roll-up may be told again."""
        told_ms = self._told_ms.get(rollup_id)
        since = self._clock.monotonic_ms()
        return 0 if told_ms is None else max(0, told_ms + _NEWS_MS - since)

    async def _look(self, busy: Collection[str], doubted: Collection[str]) -> None:
        """Roll up what is too far back in the queue."""
        room = self._within_a_minute(self._clock.monotonic_ms())
        if room is None or self._log.queued - len(busy) <= rollups.kept(room):
            return
        try:
            await self._roll_up(rollups.kept(room), busy, doubted)
        except StoreError:
            self._has_news = self._is_unsure = True
            raise

    async def _roll_up(self, kept: int, busy: Collection[str], doubted: Collection[str]) -> None:
        due = await self._store.due(self._channel, _END_OF_TIME, _MOST, set(busy))
        # After a crash those that were rolled up may stand in the queue still.
        queue = [each for each in due if not self.covers(each)]
        late = [each.incident_id for each in queue if each.action is Action.TRIGGER][kept:]
        if not late:
            return
        routed = await self._store.routed(late)
        for (key, severity), pending in rollups.overflow(
            queue, routed, self._channel, kept
        ).items():
            await self._tell(key, severity, pending, doubted)

    async def _tell(
        self, key: str, severity: Severity, pending: list[Delivery], doubted: Collection[str]
    ) -> None:
        # Each record of an incident has its own moment: one at the same would not be kept.
        now_at = self._decided_at = max(self._clock.wall_ms(), self._decided_at + 1)
        opened = [
            one for one in self._open.values() if (one.scope, one.severity) == (key, severity)
        ]
        rollup = rollups.rolled_up(opened[0] if opened else None, pending, severity, now_at)
        decided = rollups.decisions(rollup, pending, now_at, doubted)
        is_told = self._wait_ms(rollup.id) == 0
        triggers = [rollups.message(rollup, Action.TRIGGER, now_at)] if is_told else []
        if not opened:
            decided.append(decision_of(Change.OPENED, rollup, now_at))
        await self._store.commit(Changes([rollup], triggers, decided))
        log.warning("channel %s: %s", self._channel, rollup.summary)
        self._open[rollup.id] = rollup
        if is_told:
            self._told(rollup, triggers)
        else:
            self._grown.add(rollup.id)
        members = map(rollups.member_of, decided[: len(decided) - (not opened)])
        self._members |= {one.incident_id: one for one in members}
        self._covered |= {each.id: each for each in pending}

    async def _tell_growth(self, rollup: Incident) -> None:
        """Tell how large a roll-up is that has grown since it was told last."""
        trigger = rollups.message(rollup, Action.TRIGGER, self._clock.wall_ms())
        await self._store.commit(Changes([rollup], [trigger]))
        self._told(rollup, [trigger])

    def _told(self, rollup: Incident, triggers: list[Delivery]) -> None:
        self._told_ms[rollup.id] = self._clock.monotonic_ms()
        self._grown.discard(rollup.id)
        self._log.expect(triggers)

    async def _settle(self, covered: list[Delivery]) -> None:
        """Record what a roll-up has told, or tells the end of."""
        now_at = self._clock.wall_ms()
        records = []
        for each in covered:
            member = self._members.get(each.incident_id)
            reason = f"told by {member.rollup_id}" if member else "told by a roll-up"
            settled = replace(each, status=DeliveryStatus.SENT, reason=reason)
            records.append(AttemptRecord(settled, now_at, 0.0, rollups.ROLLED_UP, reason))
        await self._recorder.record(*records)
        for each in covered:
            self._covered.pop(each.id, None)
            if each.action is Action.RESOLVE:
                self.leave(each.incident_id)
        self._log.settle(each.id for each in covered)

    async def _end(self) -> None:
        """End each roll-up that stands for nothing any more."""
        in_use = {member.rollup_id for member in self._members.values()}
        for rollup in [one for name, one in self._open.items() if name not in in_use]:
            now_at = self._clock.wall_ms()
            ended = rollups.ended(rollup, now_at)
            resolve = rollups.message(ended, Action.RESOLVE, now_at)
            decided = decision_of(Change.CLOSED, ended, now_at)
            await self._store.commit(Changes([ended], [resolve], [decided]))
            del self._open[rollup.id]
            self._grown.discard(rollup.id)
            self._log.expect([resolve])
