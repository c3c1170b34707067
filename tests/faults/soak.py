"""A day of trouble in a few seconds: incidents, faults and crashes, drawn at random."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from playwatch.channels.http import PostLimits
from playwatch.core.deliveries import Action
from playwatch.core.rules import Severity
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.admission import CONCURRENT
from playwatch.runtime.outbox import Outbox
from playwatch.telemetry import Telemetry
from tests.delivering import message, pagerduty, put, seeded, turn
from tests.fakes import HandClock
from tests.faults.truth import assert_true, busiest_minute
from tests.kit.stores import an_incident, sqlite_store
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from playwatch.core.incidents import Incident
    from playwatch.ports import Store

STEP_S: Final = 10.0
CRASHES: Final = 0.01
LIMITS: Final = PostLimits(total=0.4, connect=PATIENCE_S, answer=0.1)
"""For all requests: an answer that is missed because the machine is slow is one more fault."""
FAULTS: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("status", {"status": 408}),
    ("status", {"status": 429}),
    ("status", {"status": 500}),
    ("status", {"status": 502}),
    ("status", {"status": 503}),
    ("status", {"status": 429, "headers": {"Retry-After": "20"}}),
    ("status", {"status": 401}),
    *((kind, {}) for kind in ("reset", "accept_then_reset", "garbage", "html", "close", "stale")),
    *((kind, {}) for kind in ("reset_in_body", "short_body")),
    # Each of these takes as long as a time limit; they come less often.
    ("hang", {"times": 1}),
    ("accept_then_hang", {"times": 1}),
    ("slow_body", {"times": 1}),
)


class _Crash(Exception):  # noqa: N818 - what ends a process is no error of ours
    pass


class Soak:
    """Plays a number of hours against a stand-in and asserts the truth at the end.

    Attributes
    ----------
    crashes, requests, opened
        What happened.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        # What happens is drawn apart from the jitter of the waits: how often a
        # lane draws depends on the machine's speed, and the story must not.
        self._story: random.Random = seeded(seed)
        self._jitter: random.Random = seeded(seed + 1)
        self._clock = HandClock()
        self._still_open: dict[str, Incident] = {}
        self.opened = self.crashes = self.requests = 0

    async def play(self, hours: float) -> None:
        """Let it all happen, then let the receiver get well and everything arrive."""
        steps = round(hours * 3600 / STEP_S)
        async with StandIn(clock=self._clock, journal_limit=1_000_000) as server:
            while steps > 0:
                steps = await self._live(server, steps)
            server.faults.clear()
            await self._live(server, 0, is_last=True)
            assert_true(server, self._still_open.values())
            assert len(server.pages) == self.opened
            # What was out when a process died is not known to the next.
            assert busiest_minute(server) <= 100 + CONCURRENT
            self.requests = server.requests

    async def _live(self, server: StandIn, steps: int, *, is_last: bool = False) -> int:
        """Run one process until it crashes or there is nothing left; return the steps left."""
        async with sqlite_store(self._folder) as store:
            channel = pagerduty(server.url, self._clock, limits=LIMITS)
            rates = {"on-call": 100}
            surroundings = (store, self._clock, Telemetry(), self._jitter)
            outbox = Outbox([channel], *surroundings, rate_limits=rates)
            try:
                async with asyncio.TaskGroup() as tasks:
                    outbox.start(tasks)
                    while steps > 0:
                        steps -= 1
                        await self._step(store, outbox, server)
                    if is_last:
                        await turn(self._clock, lambda: self._has_arrived(outbox, server))
                    await outbox.stop(5.0)
            except* _Crash:
                self.crashes += 1
            finally:
                await channel.close()
        return steps

    async def _step(self, store: Store, outbox: Outbox, server: StandIn) -> None:
        rng = self._story
        await self._happen(store, outbox)
        if rng.random() < 0.1:
            server.faults.clear()
        if rng.random() < 0.2:
            kind, how = rng.choice(FAULTS)
            server.fail(kind, **{"times": rng.randint(1, 12), "skip": rng.randint(0, 3), **how})
        if rng.random() < CRASHES:
            raise _Crash
        await self._clock.advance(STEP_S)
        await soon(lambda: not any(lane._busy for lane in outbox._lanes.values()))

    async def _happen(self, store: Store, outbox: Outbox) -> None:
        """Open some incidents and end others."""
        rng = self._story
        count = 40 if rng.random() < 0.01 else rng.choice((0, 0, 1, 2))
        for _ in range(count):
            severity = rng.choice(tuple(Severity))
            incident = an_incident(f"i{self.opened}", severity=severity)
            self.opened += 1
            self._still_open[incident.id] = incident
            await put(store, outbox, message(incident))
        ending = [one for one in self._still_open.values() if rng.random() < 0.05]
        for incident in ending:
            del self._still_open[incident.id]
            await put(store, outbox, message(incident, Action.RESOLVE))

    def _has_arrived(self, outbox: Outbox, server: StandIn) -> bool:
        lanes = outbox._lanes.values()
        expected = {one.dedup_key for one in self._still_open.values()}
        is_idle = not any(lane._busy or lane._log._expected for lane in lanes)
        return is_idle and server.open_keys == expected
