"""Records what a source brings, and evaluates it meanwhile where asked to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from playwatch.core.samples import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.core.pipeline import Step
    from playwatch.ports import Clock, Recorder, Source
    from playwatch.runtime.replay import Evaluation

    Told = Callable[[Instant, Step], None]

TICK_S: Final = 1.0


async def record(
    source: Source,
    recorder: Recorder,
    clock: Clock,
    *,
    evaluation: Evaluation | None = None,
    told: Told | None = None,
) -> None:
    """Record reads and ticks until cancelled.

    Parameters
    ----------
    source
        Runs elsewhere.
    evaluation, told
        Evaluates the same reads and ticks at the same instants, and is told
        each instant with what was decided: what a replay will give again.
    """

    def now() -> Instant:
        return Instant(clock.wall_ms(), clock.monotonic_ms())

    def tell(at: Instant, step: Step) -> None:
        if told is not None and step.turns:
            told(at, step)

    async def follow() -> None:
        while True:
            arrivals = await source.read()
            at = now()
            recorder.read(arrivals.messages, at)
            if evaluation is not None:
                tell(at, evaluation.take(arrivals.messages, at))
            arrivals.acknowledge()

    async def tick() -> None:
        while True:
            await clock.sleep(TICK_S)
            at = now()
            recorder.tick(at)
            if evaluation is not None:
                tell(at, evaluation.tick(at))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(), name="record")
        tasks.create_task(tick(), name="tick")
