"""The three measurements of a bench."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from playwatch.bench import samples
from playwatch.bench.figures import Spread, Storm, Throughput
from playwatch.bench.wire import TOPIC
from playwatch.demo.pages_book import Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwatch.bench.engine import BenchEngine
    from playwatch.bench.wire import Wire
    from playwatch.demo.stand_in import StandIn

    Told = Callable[[float], None]
    """Called with how much of a measurement is done, 0 to 1."""

_PATIENCE_S: Final = 10.0
"""How long nothing may happen before what is missing counts as lost."""

_POLL_S: Final = 0.1
_LOOK_S: Final = 0.25
"""How often to ask how far the engine is while it is kept busy: asking costs it 2 ms."""

_AHEAD_MESSAGES: Final = 20_000
_AHEAD_BYTES: Final = 64_000_000
_BLOCK_MESSAGES: Final = 100
_BLOCK_BYTES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Site:
    """What is measured, and what it is measured with."""

    engine: BenchEngine
    stand_in: StandIn
    wire: Wire

    async def fill(self, series: int) -> None:
        """Let the engine know so many series."""
        before, _ = await self.engine.progress()
        for payload in samples.everything(series):
            await self.wire.publish([payload])
        counted, _ = await _settled(self.engine, before + series)
        if counted < before + series:
            self.engine.fail(f"counted {counted - before:,} of the first {series:,} samples")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message.

    Attributes
    ----------
    what
        The kind, in words.
    payloads
        Published over and over.
    size
        Samples in each.
    topic
        Where they are published.
    before
        Published once, ahead of them; without samples.
    """

    what: str
    payloads: Sequence[bytes]
    size: int
    topic: str = TOPIC
    before: Sequence[bytes] = ()


async def latency(site: Site, breaches: int, told: Told) -> tuple[Spread, Spread]:
    """Return how long triggers and resolves took, one breach after the other.

    From the publish of a sample to the arrival of the request, each of
    another series.

    Raises
    ------
    BenchError
        If a page does not come.
    """
    triggers_ms, resolves_ms = [], []
    for number, title in enumerate(samples.title_names("title", breaches)):
        triggers_ms.append(await _page_ms(site, "trigger", samples.breach(title)))
        resolves_ms.append(await _page_ms(site, "resolve", samples.recovery(title)))
        told((number + 1) / breaches)
    return Spread(triggers_ms), Spread(resolves_ms)


async def storm(site: Site, breaches: int, told: Told) -> Storm:
    """Let many series breach in one message, and recover in another."""
    again = (("trigger", Effect.REPEATED), ("resolve", Effect.DROPPED))
    before = sum(site.stand_in.count(*kind) for kind in again)
    triggers_ms = await _rush(
        site,
        ("trigger", Effect.OPENED),
        samples.storm(breaches),
        breaches,
        lambda share: told(share / 2),
    )
    resolves_ms = await _rush(
        site,
        ("resolve", Effect.RESOLVED),
        samples.calm(breaches),
        breaches,
        lambda share: told((1 + share) / 2),
    )
    return Storm(
        breaches=breaches,
        arrivals_ms=triggers_ms,
        lost=2 * breaches - len(triggers_ms) - len(resolves_ms),
        doubled=sum(site.stand_in.count(*kind) for kind in again) - before,
    )


async def throughput(
    site: Site, kind: Kind, seconds: float, told: Callable[[str, float], None]
) -> Throughput:
    """Publish as fast as everything takes it, for some seconds; count what arrived.

    Notes
    -----
    Only so much is published ahead of the engine as a broker can hold without
    running out of memory.
    """
    loop = asyncio.get_running_loop()
    stream = cycle(kind.payloads)
    block = max(1, min(_BLOCK_MESSAGES, _BLOCK_BYTES // len(kind.payloads[0])))
    ahead = max(block, min(_AHEAD_MESSAGES, _AHEAD_BYTES // len(kind.payloads[0])))
    for payload in kind.before:
        await site.wire.publish([payload], kind.topic)
    await site.wire.flush()
    first, cpu_first = await site.engine.progress()
    began, messages, counted = loop.time(), 0, 0
    while (elapsed := loop.time() - began) < seconds:
        if messages - counted // kind.size >= ahead:
            await asyncio.sleep(_LOOK_S)
            counted = (await site.engine.progress())[0] - first
        else:
            await site.wire.publish(islice(stream, block), kind.topic)
            messages += block
        told(f"throughput, {kind.what}", elapsed / seconds)
    await site.wire.flush()
    last, last_at = await _settled(site.engine, first + messages * kind.size)
    _, cpu_last = await site.engine.progress()
    told(f"throughput, {kind.what}", 1.0)
    return Throughput(
        what=kind.what,
        messages=messages,
        sent=messages * kind.size,
        counted=last - first,
        took_s=last_at - began,
        cpu_s=None if cpu_first is None or cpu_last is None else cpu_last - cpu_first,
    )


async def _settled(engine: BenchEngine, expected: int) -> tuple[int, float]:
    """Return how many samples were counted once no more come, and when the last was seen."""
    loop = asyncio.get_running_loop()
    counted, moved = -1, loop.time()
    while loop.time() - moved < _PATIENCE_S:
        now, _ = await engine.progress()
        if now != counted:
            counted, moved = now, loop.time()
        if counted >= expected:
            break
        await asyncio.sleep(_POLL_S)
    return counted, moved


async def _page_ms(site: Site, action: str, payload: bytes) -> float:
    """Publish a message, and return how long its page took."""
    before, began_ms = site.stand_in.count(action), _now_ms()
    await site.wire.publish([payload])
    if not await _come(site.stand_in, (action,), before + 1):
        site.engine.fail(f"sent no {action} within {_PATIENCE_S:g} s")
    return _now_ms() - began_ms


async def _rush(
    site: Site, kind: tuple[str, Effect], payload: bytes, pages: int, told: Told
) -> list[float]:
    """Publish a message; return when each of its pages came, until no more do."""
    stand_in = site.stand_in
    requests, before = stand_in.requests, stand_in.count(*kind)
    began_ms = _now_ms()
    await site.wire.publish([payload])
    come = 0
    while come < pages and await _come(stand_in, kind, before + come + 1):
        come = stand_in.count(*kind) - before
        told(come / pages)
    fresh = stand_in.requests - requests
    entries = stand_in.journal[-fresh:] if fresh else ()
    found = [one for one in entries if (one.action, one.effect) == kind]
    # The journal's clock is cut to milliseconds.
    return [max(0.0, one.monotonic_ms - began_ms) for one in found]


async def _come(stand_in: StandIn, kind: tuple[str] | tuple[str, Effect], count: int) -> bool:
    """Wait for so many requests of a kind; return whether they came before patience ended."""
    action, *effects = kind
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await stand_in.wait_for(lambda server: server.count(action, *effects) >= count)
    except TimeoutError:
        return False
    return True


def _now_ms() -> float:
    return asyncio.get_running_loop().time() * 1000
