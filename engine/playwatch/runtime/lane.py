"""A lane: the queue of one channel, sent in order, as fast as the channel takes it.

The protocol, step by step:

1. Ask the store for the oldest pending delivery of each incident. A later one
   of the same incident is not offered, so a resolve cannot overtake its trigger.
2. Send each, several incidents at once, as the limit of the key allows. Without
   one, what the store found beyond that is kept for the next (`Ahead`).
3. Decide from the answer what follows: sent, tried again later, given up.
4. Have that recorded. Only then is the delivery no longer busy, and only then
   may the next one of its incident be offered.

An answer about the channel and not about the message holds the whole lane for
a minute; then one delivery at a time asks whether the operator has acted. A
receiver that wants fewer messages holds everything with that routing key, and
one that does not answer is asked by one delivery now and then (`Traffic`).

A process that dies between 2 and 4 sends the same bytes with the same key once
more after its restart; the receiver drops the repeat. Whatever an earlier
process left counts as perhaps sent, and so does what got no answer; a resolve
that follows such a trigger is sent again (`playwatch.core.confirmations`).

Retries are timed by the monotonic clock: a wall clock that steps back an hour
must not hold a page for an hour. For that the lane keeps a *steady* time, which
starts as wall time and then only runs. What the last process put off is due at
once after a start, and so is a time further away than any wait could be.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from playwatch.core.backoff import after
from playwatch.core.confirmations import AMBIGUOUS, is_confirmation
from playwatch.core.deliveries import Action, Retry, Sent
from playwatch.core.limits import WINDOW_MS
from playwatch.errors import StoreError
from playwatch.runtime.admission import Admission
from playwatch.runtime.ahead import Ahead
from playwatch.runtime.alarm import Alarm
from playwatch.runtime.in_flight import InFlight
from playwatch.runtime.lane_log import LaneLog, records_of
from playwatch.runtime.repeats import Repeats
from playwatch.runtime.rollups import RollUps
from playwatch.runtime.senders import Senders

if TYPE_CHECKING:
    import asyncio
    import random
    from collections.abc import Sequence

    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import AttemptRecord, Channel, Clock, Store
    from playwatch.runtime.records import Recorder
    from playwatch.runtime.traffic import KeyGate, Traffic
    from playwatch.telemetry import Telemetry

_END_OF_TIME: Final = 2**62
_LONGEST_WAIT_MS: Final = 600_000
_STORE_RETRY_S: Final = 1.0
_SOON_MS: Final = 5_000

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
        traffic: Traffic,
    ) -> None:
        self._channel = channel
        self.senders = Senders(channel)
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._rng = rng
        self._alarm = Alarm(clock)
        self._admission = Admission(channel, traffic, clock, rng, self.wake)
        self._ahead = Ahead(channel.name, store, clock)
        self._repeats = Repeats(store, clock)
        self._log = LaneLog(channel.name, clock, telemetry, self._admission.endpoint)
        room = partial(traffic.within_a_minute, channel.name)
        self._rollups = RollUps(channel.name, store, recorder, clock, self._log, room)
        self._busy = InFlight()
        self._left: set[str] = set()
        self._steady_offset_ms = clock.wall_ms() - clock.monotonic_ms()
        self._horizon = _END_OF_TIME
        self._is_started = False
        self.is_retired = False

    @property
    def is_misconfigured(self) -> bool:
        """True while the channel waits for the operator."""
        return bool(self._log.misconfigured)

    @property
    def complaint(self) -> str:
        """What is wrong with the channel; empty while it is well."""
        return self._log.misconfigured or self._log.away

    @property
    def away(self) -> str:
        """Why its receiver counts as away; empty while it does not."""
        return self._log.away

    @property
    def held_back(self) -> str:
        """How much a limit keeps back; empty while it keeps nothing."""
        return self._log.waiting if self._admission.is_limited else ""

    @property
    def given_up(self) -> int:
        """How many deliveries were given up since the start."""
        return self._log.given_up

    def replace(self, channel: Channel) -> None:
        """Send by another channel of the same name from here on.

        Notes
        -----
        What was routed with the former key still goes out by the former
        channel, unless that one waits for the operator: then this is what it
        has been waiting for, and everything goes by the new one.
        """
        self.senders.replace(channel, keeps=not self.is_misconfigured)
        self._channel = channel
        self._admission.take_over(channel)
        self._log.begin_anew(self._admission.endpoint)
        self.is_retired = False
        self.wake()

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._ahead.forget()
        self._alarm.ring()

    def expect(self, deliveries: Sequence[Delivery], *, are_new: bool = False) -> None:
        """Send what was just committed, unread if all is new; one that is away is asked for it."""
        is_all = are_new and self._is_started and not (self._busy or self._log.queued)
        self._log.expect(deliveries)
        self._rollups.expect(deliveries)
        self._admission.endpoint.breaker.hurry()
        self.wake()
        if is_all and self._admission.is_unlimited:
            self._ahead.offer(deliveries)

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Send until cancelled; each delivery in flight is a task of the group."""
        told = ""
        while True:
            try:
                if not self._is_started:
                    await self._take_over()
                    self._is_started = True
                await self._rollups.step(self._busy.ids, self._left)
                wait_s = self._rollups.wait_s(await self._dispatch(tasks))
                told = ""
            except StoreError as error:
                if str(error) != told:
                    told = str(error)
                    log.error("channel %s, trying again: %s", self._channel.name, told)  # noqa: TRY400 - a sentence
                wait_s = _STORE_RETRY_S
            await self._alarm.wait(wait_s)

    async def drain(self) -> None:
        """Wait until nothing is in flight."""
        await self._busy.drain()

    def abandon(self) -> None:
        """Wait no longer for what is in flight; it stays pending in the store."""
        self._busy.abandon()

    async def _take_over(self) -> None:
        """Learn what an earlier process left: what nobody here has announced."""
        pending = await self._store.pending(self._channel.name)
        self._left = {each for each in pending if not self._log.expects(each)}
        since = self._clock.wall_ms() - WINDOW_MS
        self._admission.recall(await self._store.attempted(self._channel.name, since))
        self._repeats.doubt(await self._store.in_doubt(self._channel.name))
        self._log.expect_ids(pending)
        await self._rollups.recover()

    async def _dispatch(self, tasks: asyncio.TaskGroup) -> float | None:
        """Start what is due; return how long to wait for more, None for a wake-up."""
        admission, clock = self._admission, self._clock
        room = admission.room(self._in_flight())
        if room <= 0:
            return None
        opens_ms = admission.opens_ms()
        if opens_ms is None or opens_ms > clock.monotonic_ms():
            return None if opens_ms is None else (opens_ms - clock.monotonic_ms()) / 1000
        until = self._horizon or self._steady_at()
        due = await self._ahead.due(until, admission.worth_reading(room), self._busy.ids)
        if admission.room(self._in_flight()) < room or not admission.is_open():
            return 0.0  # an answer that came meanwhile holds the lane
        self._horizon = 0
        blocked: list[int | None] = []
        has_rolled_up = False
        for place, delivery in enumerate(due):
            if room <= 0:
                self._ahead.keep(due[place:] if admission.is_unlimited else ())
                break
            if self._rollups.covers(delivery):
                has_rolled_up = True
                continue
            gate = admission.gate(delivery.key_fingerprint)
            if self._is_too_early(delivery):
                continue
            if gate.room(clock.monotonic_ms()) == 0:
                blocked.append(admission.blocked_until(gate))
                continue
            work = self._deliver(delivery, gate, is_probe=admission.begin(gate))
            self._busy.begin(tasks, delivery.id, work)
            room -= 1
        if has_rolled_up:
            return 0.0
        return None if room <= 0 else await self._wait_s(blocked)

    async def _wait_s(self, blocked: list[int | None]) -> float | None:
        """Return how long nothing can begin, None for until a wake-up."""
        if blocked:
            known = [moment for moment in blocked if moment is not None]
            now_ms = self._clock.monotonic_ms()
            # Something else may be due before that.
            return max(0, min([*known, now_ms + _SOON_MS]) - now_ms) / 1000
        if self._busy and self._log.queued <= self._busy.on_their_way:
            return None  # nothing waits beside what is on its way, whose end wakes the lane
        announced, busy = self._log.announced, self._busy.ids
        next_at = await self._store.next_due_at(self._channel.name, busy)
        if next_at is None:
            if not busy and announced == self._log.announced:
                self._log.forget()
            return None
        wait_ms = max(0, next_at - self._steady_at())
        if wait_ms > _LONGEST_WAIT_MS:
            # Set by a process whose wall clock was ahead of this one's.
            self._horizon, wait_ms = _END_OF_TIME, 0
        return wait_ms / 1000

    async def _deliver(self, delivery: Delivery, gate: KeyGate, *, is_probe: bool) -> None:
        """Send once and have it recorded; it is busy until it is."""
        try:
            records = await self._try(delivery, gate, is_probe=is_probe)
        except BaseException:
            self._end(delivery.id)
            raise
        self._recorder.put(records, partial(self._end, delivery.id))

    def _end(self, delivery_id: str) -> None:
        self._busy.end(delivery_id)
        self._alarm.ring()

    async def _try(
        self, delivery: Delivery, gate: KeyGate, *, is_probe: bool
    ) -> list[AttemptRecord]:
        """Send once and return what is to be recorded of it."""
        started_ms = self._clock.monotonic_ms()
        try:
            attempt = await self._attempt(delivery)
        finally:
            ended_ms = self._clock.monotonic_ms()
            gate.end(ended_ms)
        steady_at = self._steady_at()
        following = after(delivery, attempt, steady_at, self._rng.random)
        wait_ms = following.not_before_at - steady_at
        is_here = self.senders.of(delivery) is self._channel
        self._admission.judge(attempt, wait_ms, gate, is_probe=is_probe, is_here=is_here)
        self._log.note(attempt, following, wait_ms / 1000)
        is_doubted = delivery.id in self._left and delivery.action is Action.TRIGGER
        now_at, took_ms = self._clock.wall_ms(), float(ended_ms - started_ms)
        records = records_of(attempt, delivery, following, now_at, took_ms, is_doubted=is_doubted)
        self._left.discard(delivery.id)
        if delivery.action is Action.TRIGGER and records[0].outcome == AMBIGUOUS:
            self._repeats.doubt([delivery.dedup_key])
        if delivery.action is Action.RESOLVE and following.status.is_final:
            self._rollups.leave(delivery.incident_id)
        if not isinstance(attempt, Sent):
            self._ahead.forget()
        elif self._ahead:  # its slot is free before it is recorded
            self._alarm.ring()
        self._busy.answer(delivery.id)
        if isinstance(attempt, Sent) and self._is_to_be_repeated(delivery):
            self._log.expect(await self._repeats.queue(delivery, steady_at))
        return records

    def _in_flight(self) -> int:
        """Return how many take a slot; a limit counts what is not recorded, for a restart."""
        return self._busy.on_their_way if self._admission.is_unlimited else len(self._busy)

    async def _attempt(self, delivery: Delivery) -> Attempt:
        try:
            return await self.senders.send(delivery)
        except Exception as error:  # a channel's own mistake must not end the engine
            log.exception("channel %s failed on %s", self._channel.name, delivery.id)
            return Retry(f"internal error: {type(error).__name__}")

    def _is_too_early(self, delivery: Delivery) -> bool:
        """Return whether a repetition that an earlier process planned is not due yet."""
        if not (delivery.not_before_at and is_confirmation(delivery)):
            return False
        return 0 < delivery.not_before_at - self._steady_at() <= _LONGEST_WAIT_MS

    def _is_to_be_repeated(self, delivery: Delivery) -> bool:
        """Return whether it is a resolve for a receiver that would drop a needless one."""
        is_wanted: bool = getattr(self.senders.of(delivery), "confirms_resolves", False)
        return is_wanted and delivery.action is Action.RESOLVE

    def _steady_at(self) -> int:
        return self._clock.monotonic_ms() + self._steady_offset_ms
