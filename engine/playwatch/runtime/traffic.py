"""Traffic: what lanes share towards the receivers, by routing key and by endpoint.

Two channels with one key share its limit, and a receiver that asks one of them
to slow down asks both. Two channels that send to one place learn together that
it is away, and that it is back. Times are of the monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwatch.core.breaker import CircuitBreaker
from playwatch.core.limits import SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from playwatch.ports import Channel


@dataclass(slots=True)
class KeyGate:
    """Lets through what may be sent with one routing key.

    Attributes
    ----------
    window
        The limit that we keep ourselves.
    held_until_ms
        Until when the receiver wants nothing.
    is_doubted
        True from a refusal for the rate until the next acceptance: until then
        one call at a time asks.
    under_way
        Calls that have begun.
    waiting
        Called when one ends.
    """

    window: SlidingWindow
    held_until_ms: int = 0
    is_doubted: bool = False
    under_way: int = 0
    waiting: set[Callable[[], None]] = field(default_factory=set)

    def room(self, now_ms: int) -> int | None:
        """Return how many calls may begin now; None for any number."""
        if now_ms < self.held_until_ms:
            return 0
        room = self.window.room(now_ms)
        if not self.is_doubted:
            return room
        return 0 if self.under_way else min(1, 1 if room is None else room)

    def opens_at(self, now_ms: int) -> int | None:
        """Return when the next call may begin; None when only an end can tell."""
        opens_at = self.window.opens_at(max(now_ms, self.held_until_ms))
        if opens_at is None or (self.is_doubted and self.under_way):
            return None
        return max(opens_at, self.held_until_ms)

    def begin(self) -> None:
        """Count a call that begins."""
        self.under_way += 1
        self.window.begin()

    def end(self, now_ms: int) -> None:
        """Count a call that has ended, and wake who waits for that."""
        self.under_way -= 1
        self.window.end(now_ms)
        ring(self.waiting)

    def hold(self, until_ms: int) -> None:
        """Keep what the receiver asked for."""
        self.held_until_ms = max(self.held_until_ms, until_ms)
        self.is_doubted = True


@dataclass(slots=True)
class Endpoint:
    """A place that channels send to.

    Attributes
    ----------
    breaker
        Whether it is away.
    trouble
        Why its last call failed.
    waiting
        Called when a probe has ended.
    """

    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    trouble: str = ""
    waiting: set[Callable[[], None]] = field(default_factory=set)


class Traffic:
    """The gates of all keys and the breakers of all endpoints of one outbox.

    Parameters
    ----------
    rate_limits
        By channel, how many calls in any minute; a channel that is not named
        has no limit. Of two channels with one key the lower limit counts.
    unrolled
        Channels that are told of each incident on its own, however long it takes.
    """

    def __init__(
        self,
        rate_limits: Mapping[str, int | None] | None = None,
        unrolled: Collection[str] = (),
    ) -> None:
        self._limits = dict(rate_limits or {})
        self._unrolled = set(unrolled)
        self._channels: dict[str, str] = {}
        self._former: dict[str, str] = {}
        self._gates: dict[str, KeyGate] = {}
        self._endpoints: dict[str, Endpoint] = {}

    def join(self, channel: Channel) -> None:
        """Count a channel among those that send with its key."""
        name = _key_of(channel, channel.key_fingerprint)
        former = self._channels.get(channel.name, name)
        self._former[former] = channel.name
        self._channels[channel.name] = name
        for key in {name, former} & self._gates.keys():
            self._gates[key].window.limit = self._limit_of(key)

    def limit(self, channel: str, rate_limit: int | None) -> None:
        """Set how many calls in any minute a channel may make; None for any number."""
        self._limits[channel] = rate_limit
        for name, gate in self._gates.items():
            gate.window.limit = self._limit_of(name)

    def roll_up(self, channel: str, *, is_on: bool) -> None:
        """Set whether a channel is told of roll-ups."""
        (self._unrolled.discard if is_on else self._unrolled.add)(channel)

    def within_a_minute(self, channel: str, now_ms: int) -> int | None:
        """Return how many messages a channel may send until then; None if it rolls nothing up."""
        key = self._channels.get(channel, "")
        gate = self._gates.get(key)
        limit = self._limit_of(key)
        if limit is None or channel in self._unrolled:
            return None
        now = limit if gate is None else gate.window.room(now_ms) or 0
        sharers = sum(name == key for name in self._channels.values())
        return (limit + now) // max(1, sharers)

    def gate(self, channel: Channel, key_fingerprint: str) -> KeyGate:
        """Return the gate of a key; without a key it is the channel's own."""
        name = _key_of(channel, key_fingerprint)
        gate = self._gates.get(name)
        if gate is None:
            self._former.setdefault(name, channel.name)
            gate = self._gates[name] = KeyGate(SlidingWindow(self._limit_of(name)))
        return gate

    def _limit_of(self, key: str) -> int | None:
        """Return the lowest limit of the channels with a key, or of the one that had it before."""
        present = [one for one, name in self._channels.items() if name == key]
        limits = [self._limits.get(one) for one in present or [self._former.get(key, "")]]
        return min((limit for limit in limits if limit is not None), default=None)

    def endpoint(self, channel: Channel) -> Endpoint:
        """Return the place that a channel sends to; one that names none is its own."""
        name: str = getattr(channel, "endpoint", "") or f"channel {channel.name}"
        return self._endpoints.setdefault(name, Endpoint())


def ring(waiting: set[Callable[[], None]]) -> None:
    """Call everyone who waits, once."""
    while waiting:
        waiting.pop()()


def _key_of(channel: Channel, key_fingerprint: str) -> str:
    return key_fingerprint or channel.key_fingerprint or f"channel {channel.name}"
