"""The engine that is killed: evaluator, store, outbox and channels as they are, with a fuse.

What a broker would keep, a file keeps: messages that were not acknowledged
come again in the next life.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwatch.channels import fingerprint
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.routing import Route
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.ports import Arrivals, Message
from playwatch.runtime.evaluate import Evaluator
from playwatch.runtime.outbox import Outbox
from playwatch.runtime.refused import RefusalLog
from playwatch.telemetry import Telemetry
from tests.delivering import OTHER_KEY, Middling, pagerduty, turn
from tests.fakes import HandClock
from tests.kills.fuse import Fuse, FusedChannel, FusedStore
from tests.kit.channels import KEY
from tests.stage import FAILURES, START, a_rule
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS: Final = {"on-call": KEY, "other": OTHER_KEY}
RULE: Final = a_rule(by=("country",), warning=3, window_s=2.0)

STORY: Final[tuple[tuple[int, tuple[tuple[str, float], ...]], ...]] = (
    (0, (("DE", 9), ("FR", 9), ("SE", 4))),
    (4, (("DE", 9), ("SE", 9))),
    (10, (("DE", 1),)),
    (13, (("DE", 1),)),
    (16, (("DE", 1),)),
    (30, (("DE", 9), ("FR", 1))),
    (33, (("FR", 1),)),
    (36, (("FR", 1),)),
)
"""Second, and what the failures of which country are then."""
OPENED: Final = {"country=DE": 2, "country=FR": 1, "country=SE": 1}
STILL_OPEN: Final = {"country=DE", "country=SE"}
"""What a receiver must have seen and what must be open there when all is told."""


@dataclass(frozen=True)
class Life:
    """One life of the engine.

    Attributes
    ----------
    folder
        Holds the store and what the broker keeps.
    url
        Of the receiver.
    number
        How many lives there were before; the clock goes on.
    burns_at
        The boundary to die at; 0 to live to the end.
    """

    folder: str
    url: str
    number: int = 0
    burns_at: int = 0


class Session:
    """A source that hands over again what was not acknowledged."""

    name = "session"
    is_subscribed = True
    trouble = ""

    def __init__(self, folder: Path, fuse: Fuse) -> None:
        self._path = folder / "acknowledged"
        self._fuse = fuse
        self._next = self.acknowledged

    @property
    def acknowledged(self) -> int:
        return int(self._path.read_text()) if self._path.exists() else 0

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def read(self) -> Arrivals:
        if self._next == len(STORY):
            await asyncio.get_running_loop().create_future()
        second, values = STORY[self._next]
        self._next += 1
        number = self._next
        samples = [
            {
                "metric": FAILURES,
                "value": value,
                "views": 100,
                "at": START - 50_000 + second * 1000,
                "dimensions": {"country": country},
            }
            for country, value in values
        ]
        payload = json.dumps(samples).encode()
        message = Message("playwatch/samples/site", payload, "native")
        return Arrivals([message], lambda: self._acknowledge(number))

    def _acknowledge(self, number: int) -> None:
        self._fuse.reach("before a message is acknowledged")
        written = self._path.with_suffix(".new")
        written.write_text(str(number))
        written.rename(self._path)
        self._fuse.reach("a message is acknowledged")


def evaluator_of(store: FusedStore, clock: HandClock, outbox: Outbox, name: str) -> Evaluator:
    catalogue, series, sequences = Catalogue(), SeriesTable(), SequenceTracker()
    routes = [Route(channel, fingerprint(key)) for channel, key in KEYS.items()]
    return Evaluator(
        Pipeline(catalogue, series, [RULE], routes, name),
        Intake(catalogue, series, sequences),
        sequences,
        catalogue,
        store,
        clock,
        Telemetry(),
        RefusalLog(),
        outbox.wake,
    )


async def live(life: Life) -> Sequence[str]:
    """Run until everything is told; return the boundaries that were passed."""
    fuse, folder = Fuse(life.burns_at), Path(life.folder)
    clock = HandClock(START + life.number * 1000)
    store = await FusedStore.open(folder / "playwatch.db", clock=clock)
    assert isinstance(store, FusedStore)
    store.fuse = fuse
    channels = [
        FusedChannel(pagerduty(life.url, clock, name, key), fuse) for name, key in KEYS.items()
    ]
    outbox = Outbox(channels, store, clock, Telemetry(), Middling(), rate_limits={"on-call": 100})
    evaluator = evaluator_of(store, clock, outbox, await store.installation())
    await evaluator.recover()
    session = Session(folder, fuse)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        outbox.start(tasks)
        following = tasks.create_task(evaluator.follow(session))
        await soon(lambda: session.acknowledged >= len(STORY) // 2)
        await evaluator.snapshot()
        await soon(lambda: session.acknowledged == len(STORY))
        await _empty(store, clock, outbox)
        following.cancel()
        await outbox.stop(5.0)
    for channel in channels:
        await channel.close()
    await store.close()
    return fuse.passed


async def _empty(store: FusedStore, clock: HandClock, outbox: Outbox) -> None:
    """Let time pass until nothing is pending, repetitions of resolves included."""
    lanes = outbox._lanes.values()
    while any([await store.pending(name) for name in KEYS]):
        await turn(clock, lambda: not any(one._busy or one._log._expected for one in lanes))
