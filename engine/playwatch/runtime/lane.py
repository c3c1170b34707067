"""A lane: the queue of one channel, sent in order, as fast as the channel takes it.

The protocol, step by step:

1. Ask the store for the oldest pending delivery of each incident. A later one
   of the same incident is not offered, so a resolve cannot overtake its trigger.
2. Send each, several incidents at once.
3. Decide from the answer what follows: sent, tried again later, given up.
4. Have that recorded. Only then is the delivery no longer busy, and only then
   may the next one of its incident be offered.

An answer about the channel and not about the message holds the whole lane: for
as long as the receiver asks, or for a minute when the operator has to act.
Until then one delivery at a time asks whether he has.

A process that dies between 2 and 4 sends the same bytes with the same key once
more after its restart; the receiver drops the repeat.

Retries are timed by the monotonic clock: a wall clock that steps back an hour
must not hold a page for an hour. For that the lane keeps a *steady* time, which
starts as wall time and then only runs. What the last process put off is due at
once after a start, and so is a time further away than any wait could be.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from playwatch.core.backoff import MISCONFIGURED_S, after
from playwatch.core.deliveries import (
    DeliveryStatus,
    Misconfigured,
    Rejected,
    Retry,
    Sent,
)
from playwatch.errors import StoreError
from playwatch.ports import AttemptRecord
from playwatch.runtime.alarm import Alarm

if TYPE_CHECKING:
    import random

    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Channel, Clock, Store
    from playwatch.runtime.records import Recorder
    from playwatch.telemetry import Telemetry

CONCURRENT: Final = 32
"""Deliveries of one channel in flight at once: each is another incident."""

_END_OF_TIME: Final = 2**62
_LONGEST_WAIT_MS: Final = 600_000
_STORE_RETRY_S: Final = 1.0

log = logging.getLogger("playwatch.delivery")


class Lane:
    """Delivers what is due for one channel."""

    def __init__(
        self,
        channel: Channel,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        telemetry: Telemetry,
        rng: random.Random,
    ) -> None:
        self._channel = channel
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._telemetry = telemetry
        self._rng = rng
        self._alarm = Alarm(clock)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._steady_offset_ms = clock.wall_ms() - clock.monotonic_ms()
        self._horizon = _END_OF_TIME
        self._held_until = 0
        self._complaint = ""
        telemetry.channel_misconfigured.labels(channel.name).set(0)

    @property
    def is_misconfigured(self) -> bool:
        """True while the channel waits for the operator."""
        return bool(self._complaint)

    @property
    def complaint(self) -> str:
        """What the operator has to do; empty while the channel is well."""
        return self._complaint

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._alarm.ring()

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Send until cancelled; each delivery in flight is a task of the group."""
        told = ""
        while True:
            try:
                wait_s = await self._dispatch(tasks)
                told = ""
            except StoreError as error:
                if str(error) != told:
                    told = str(error)
                    log.error("channel %s, trying again: %s", self._channel.name, told)  # noqa: TRY400 - a sentence
                wait_s = _STORE_RETRY_S
            await self._alarm.wait(wait_s)

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        if self._busy:
            await asyncio.wait(self._busy.values())

    def abandon(self) -> None:
        """Wait no longer for what is in flight; it stays pending in the store."""
        for task in self._busy.values():
            task.cancel()

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> float | None:
        """Start what is due; return how long to wait for more, None for a wake-up."""
        room = (1 if self.is_misconfigured else CONCURRENT) - len(self._busy)
        if room <= 0:
            return None
        held_ms = self._held_until - self._steady_at()
        if held_ms > 0:
            return held_ms / 1000
        name = self._channel.name
        until = self._horizon or self._steady_at()
        due = await self._store.due(name, until, room, set(self._busy))
        if self._held_until > self._steady_at():
            return 0.0  # an answer that came meanwhile holds the lane
        self._horizon = 0
        for delivery in due:
            task = tasks.create_task(self._deliver(delivery), name=f"deliver {delivery.id}")
            self._busy[delivery.id] = task
        next_at = await self._store.next_due_at(name, set(self._busy))
        if next_at is None or len(due) == room:
            return None
        wait_ms = max(0, next_at - self._steady_at())
        if wait_ms > _LONGEST_WAIT_MS:
            # Set by a process whose wall clock was ahead of this one's.
            self._horizon, wait_ms = _END_OF_TIME, 0
        return wait_ms / 1000

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await self._try(delivery)
        finally:
            del self._busy[delivery.id]
            self.wake()

    async def _try(self, delivery: Delivery) -> None:
        """Send once and have it recorded."""
        started_ms = self._clock.monotonic_ms()
        attempt = await self._attempt(delivery)
        ended_ms = self._clock.monotonic_ms()
        following = after(delivery, attempt, self._steady_at(), self._rng.random)
        self._note(attempt, following)
        record = AttemptRecord(
            delivery=following,
            at=self._clock.wall_ms(),
            duration_ms=float(ended_ms - started_ms),
            outcome=_OUTCOMES[type(attempt)],
            detail=attempt.answer if isinstance(attempt, Sent) else attempt.reason,
        )
        await self._recorder.record(record)

    async def _attempt(self, delivery: Delivery) -> Attempt:
        try:
            return await self._channel.send(delivery)
        except Exception as error:  # a channel's own mistake must not end the engine
            log.exception("channel %s failed on %s", self._channel.name, delivery.id)
            return Retry(f"internal error: {type(error).__name__}")

    def _note(self, attempt: Attempt, following: Delivery) -> None:
        """Count an attempt and log what it means for its delivery."""
        name, outcome = self._channel.name, _OUTCOMES[type(attempt)]
        self._telemetry.notifications.labels(name, outcome).inc()
        what = f"{following.action.value} of incident {following.incident_id} to {name}"
        wait_s = (following.not_before_at - self._steady_at()) / 1000
        self._judge(attempt, wait_s)
        if isinstance(attempt, Sent):
            latency_s = (self._clock.wall_ms() - following.created_at) / 1000
            self._telemetry.notification_latency.labels(name).observe(max(0.0, latency_s))
            log.info("%s accepted: %s", what, attempt.answer)
        elif following.status is DeliveryStatus.DEAD:
            log.error("%s given up: %s", what, following.reason)
        elif isinstance(attempt, Retry):
            # Each doubling of the attempts: an outage of days must not fill a disk.
            is_told = following.attempts.bit_count() == 1
            level = logging.WARNING if is_told else logging.DEBUG
            log.log(level, "%s failed, next try in %.1f s: %s", what, wait_s, following.reason)

    def _judge(self, attempt: Attempt, wait_s: float) -> None:
        """Keep what an attempt says of the channel, and hold the lane if need be."""
        name = self._channel.name
        if isinstance(attempt, Misconfigured):
            if attempt.reason != self._complaint:
                log.error("channel %s is misconfigured and waits: %s", name, attempt.reason)
            self._complaint = attempt.reason
            self._hold(MISCONFIGURED_S)
        elif isinstance(attempt, Retry):
            if attempt.is_rate_limit:
                self._hold(wait_s)
        elif self._complaint:
            log.info("channel %s works again", name)
            self._complaint = ""
        self._telemetry.channel_misconfigured.labels(name).set(self.is_misconfigured)

    def _hold(self, seconds: float) -> None:
        self._held_until = max(self._held_until, self._steady_at() + round(seconds * 1000))

    def _steady_at(self) -> int:
        return self._clock.monotonic_ms() + self._steady_offset_ms


_OUTCOMES: Final = {
    Sent: "sent",
    Retry: "retry",
    Rejected: "rejected",
    Misconfigured: "misconfigured",
}
