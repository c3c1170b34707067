"""News: what has changed, for whoever watches a page.

One list of numbered events, and a bounded queue for each listener. A listener
that does not keep up is let go: it comes back by itself and asks for what it
missed. No listener can make the engine wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwatch.core.incidents import Incident
    from playwatch.ports import Clock

LOOK_S: Final = 0.5
"""How often changes are looked for."""
BEAT_S: Final = 5.0
"""How often pages are asked to bring their values up to date."""
KEPT: Final = 256
"""Events that a listener who comes back can still be told."""
QUEUE: Final = 32
"""Events that may wait for one listener."""
LISTENERS: Final = 200
"""Listeners at a time."""

INCIDENT: Final = "incident"
VALUES: Final = "values"
RESET: Final = "reset"
"""Too much was missed: load everything again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that changed; ``number`` rises by one."""

    number: int
    kind: str
    data: str


class TooManyError(Exception):
    """No more listeners are taken."""


class News:
    """Tells listeners of incidents as they open, rise and end.

    Parameters
    ----------
    incidents
        Returns the open incidents.
    """

    def __init__(self, incidents: Callable[[], Sequence[Incident]], clock: Clock) -> None:
        self._incidents = incidents
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._known: dict[str, Incident] = {}
        self.number = 0
        # An engine that was started anew counts from one again.
        self.epoch = format(clock.wall_ms(), "x")

    async def run(self) -> None:
        """Look for changes, until cancelled."""
        self._known = {one.id: one for one in self._incidents()}
        next_beat_ms = 0
        while True:
            await self._clock.sleep(LOOK_S)
            self.look()
            if self._clock.monotonic_ms() >= next_beat_ms:
                next_beat_ms = self._clock.monotonic_ms() + round(BEAT_S * 1000)
                self._tell(VALUES, "")

    def look(self) -> None:
        """Tell what has changed since the last look. O(open incidents)."""
        now = {one.id: one for one in self._incidents()}
        if now.keys() == self._known.keys() and all(
            one is self._known[name] for name, one in now.items()
        ):
            return
        for name in now.keys() | self._known.keys():
            if now.get(name) is not self._known.get(name):
                self._tell(INCIDENT, name)
        self._known = now

    @contextmanager
    def listening(self, since: str = "") -> Iterator[asyncio.Queue[Event | None]]:
        """Yield a queue of events while the context lasts; None in it is the end.

        Parameters
        ----------
        since
            The mark of the last event that the listener knows; see `mark`.

        Raises
        ------
        TooManyError
            If there are `LISTENERS` already.
        """
        if len(self._queues) >= LISTENERS:
            raise TooManyError
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE)
        for event in self._missed(since):
            queue.put_nowait(event)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def mark(self, event: Event) -> str:
        """Return what names an event to a listener who comes back."""
        return f"{self.epoch}-{event.number}"

    def close(self) -> None:
        """Let every listener go."""
        for queue in list(self._queues):
            self._drop(queue)

    def _missed(self, since: str) -> list[Event]:
        """Return what came after a mark; one `RESET` when that is not known."""
        epoch, _, number = since.rpartition("-")
        if not since:
            return []
        newest = Event(self.number, RESET, "")
        if epoch != self.epoch or not number.isdecimal() or not number.isascii():
            return [newest]
        after = [event for event in self._events if event.number > int(number[:18])]
        is_whole = self.number - int(number[:18]) == len(after) <= QUEUE // 2
        return after if is_whole else [newest]

    def _tell(self, kind: str, data: str) -> None:
        self.number += 1
        event = Event(self.number, kind, data)
        self._events.append(event)
        for queue in list(self._queues):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._drop(queue)

    def _drop(self, queue: asyncio.Queue[Event | None]) -> None:
        self._queues.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
