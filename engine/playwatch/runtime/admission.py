"""Admission: whether a lane may send now, and what its answers close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.core.backoff import MISCONFIGURED_S
from playwatch.core.deliveries import Misconfigured, Retry
from playwatch.runtime.traffic import ring

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from playwatch.core.deliveries import Attempt
    from playwatch.ports import Channel, Clock
    from playwatch.runtime.traffic import Endpoint, KeyGate, Traffic

CONCURRENT: Final = 32
"""Deliveries of one channel in flight at once: each is another incident."""
_AHEAD: Final = 128
_MANY: Final = 1_000


class Admission:
    """Says how many deliveries of one channel may begin, and when the next may.

    Parameters
    ----------
    wake
        Called when what was closed may be open.
    """

    def __init__(
        self,
        channel: Channel,
        traffic: Traffic,
        clock: Clock,
        rng: random.Random,
        wake: Callable[[], None],
    ) -> None:
        self._traffic = traffic
        self._clock = clock
        self._rng = rng
        self._wake = wake
        self._keys: set[str] = set()
        self.take_over(channel)

    def take_over(self, channel: Channel) -> None:
        """Send by this channel from here on; nothing is held against it."""
        self._channel = channel
        self._held_until_ms = 0
        self._asks_one = False
        self.endpoint: Endpoint = self._traffic.endpoint(channel)
        self._traffic.join(channel)

    def recall(self, attempts: Iterable[tuple[str, int]]) -> None:
        """Count what an earlier process sent in the last minute: key, and end by the wall clock."""
        now_ms, now_at = self._clock.monotonic_ms(), self._clock.wall_ms()
        for key_fingerprint, ended_at in attempts:
            gate = self._traffic.gate(self._channel, key_fingerprint)
            gate.window.recall([now_ms - max(0, now_at - ended_at)])

    @property
    def has_one_key(self) -> bool:
        """True while everything seen so far is sent with the present key."""
        return self._keys <= {"", self._channel.key_fingerprint}

    @property
    def is_unlimited(self) -> bool:
        """True while all goes with one key, as fast as it is taken."""
        return self.has_one_key and self._own_gate().window.limit is None

    def worth_reading(self, room: int) -> int:
        """Return how many due deliveries to ask the store for when so many may begin."""
        if self.is_unlimited:
            return _AHEAD
        return room if self.has_one_key else _MANY

    @property
    def is_limited(self) -> bool:
        """True while a limit, the receiver's or our own, keeps the next delivery back."""
        gate = self._own_gate()
        return gate.is_doubted or gate.room(self._clock.monotonic_ms()) == 0

    def room(self, busy: int) -> int:
        """Return how many more deliveries may begin beside so many in flight."""
        room = (1 if self._asks_one else CONCURRENT) - busy
        if self.endpoint.breaker.is_open:
            room = min(room, 1)
        if self.has_one_key:
            at_most = self._own_gate().room(self._clock.monotonic_ms())
            # A closed gate is no lack of room: it tells when it opens.
            room = room if at_most is None else min(room, max(at_most, 1))
        return room

    def opens_ms(self) -> int | None:
        """Return when the next delivery may begin; None when a wake-up tells."""
        now_ms = self._clock.monotonic_ms()
        breaker = self.endpoint.breaker
        if breaker.is_open:
            self.endpoint.waiting.add(self._wake)
        moments = [max(now_ms, self._held_until_ms), breaker.opens_at(now_ms)]
        if self.has_one_key:
            moments.append(self._opening_of(self._own_gate()))
        known = [moment for moment in moments if moment is not None]
        return max(known) if len(known) == len(moments) else None

    def is_open(self) -> bool:
        """Return whether a delivery may begin now."""
        opens_ms = self.opens_ms()
        return opens_ms is not None and opens_ms <= self._clock.monotonic_ms()

    def gate(self, key_fingerprint: str) -> KeyGate:
        """Return the gate of the key that a delivery was routed with."""
        self._keys.add(key_fingerprint)
        return self._traffic.gate(self._channel, key_fingerprint)

    def blocked_until(self, gate: KeyGate) -> int | None:
        """Return when a gate opens that is closed now; None when a wake-up tells."""
        opens_ms = self._opening_of(gate)
        return None if opens_ms == self._clock.monotonic_ms() else opens_ms

    def begin(self, gate: KeyGate) -> bool:
        """Count a delivery that begins; return whether it is a probe."""
        gate.begin()
        return self.endpoint.breaker.begin()

    def judge(
        self, attempt: Attempt, wait_ms: int, gate: KeyGate, *, is_probe: bool, is_here: bool
    ) -> None:
        """Close what an attempt says must be closed, and open what it says need not be.

        Parameters
        ----------
        is_probe
            What `begin` said of it.
        is_here
            False when it went where a former channel sends: that nobody
            answers there says nothing of the present endpoint.
        """
        now_ms = self._clock.monotonic_ms()
        breaker = self.endpoint.breaker
        if isinstance(attempt, Retry) and (attempt.is_rate_limit or attempt.after_s is not None):
            gate.hold(now_ms + wait_ms)
        if isinstance(attempt, Retry) and not attempt.is_rate_limit:
            if not is_here and not is_probe:
                return
            self.endpoint.trouble = attempt.reason
            breaker.fail(now_ms, self._rng.random, is_probe=is_probe)
        else:
            breaker.succeed()
            if isinstance(attempt, Misconfigured):
                self._asks_one = True
                self._held_until_ms = now_ms + round(MISCONFIGURED_S * 1000)
            elif not isinstance(attempt, Retry):
                gate.is_doubted = self._asks_one = False
        ring(self.endpoint.waiting)

    def _opening_of(self, gate: KeyGate) -> int | None:
        opens_ms = gate.opens_at(self._clock.monotonic_ms())
        if opens_ms is None:
            gate.waiting.add(self._wake)
        return opens_ms

    def _own_gate(self) -> KeyGate:
        return self._traffic.gate(self._channel, self._channel.key_fingerprint)
