# ruff: noqa: ASYNC240 - a test's loop has nobody else to serve
"""Kills an engine at every boundary there is, and looks at what the receiver ends with."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from tests.delivering import OTHER_KEY
from tests.kills.nursery import PASSED
from tests.kills.victim import OPENED, STILL_OPEN, Life
from tests.kit.channels import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.kills.historian import Life as Chronicle

KILLED: Final = -signal.SIGKILL
ROOT: Final = Path(__file__).parents[2]


class Nursery:
    """Starts lives, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def live(
        self, life: Life | Chronicle, *, until: asyncio.Future[None] | None = None
    ) -> int:
        """Return the exit code of one life; it is killed once a future is done."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(asdict(life)).encode() + b"\n")
        pid = (await self._line())["pid"]
        ended = asyncio.ensure_future(self._line())
        if until is not None:
            waiting: set[asyncio.Future[Any]] = {ended, until}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                os.kill(pid, signal.SIGKILL)
        return (await ended)["exit"]

    async def _line(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the nursery has ended"
        said: dict[str, int] = json.loads(line)
        return said


@asynccontextmanager
async def nursery(kind: str = "tests.kills.victim") -> AsyncIterator[Nursery]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.kills.nursery",
        kind,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        yield Nursery(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and the life that it may have begun
        await process.wait()


@asynccontextmanager
async def receiver() -> AsyncIterator[StandIn]:
    """Yield a receiver in some trouble: its answers make retries and doubts."""
    async with StandIn() as server:
        server.fail("status", status=503, skip=1, times=2)
        server.fail("accept_then_reset", skip=2)
        yield server


async def boundaries(house: Nursery, folder: Path) -> Sequence[str]:
    """Return every boundary that an undisturbed life passes."""
    async with receiver() as server:
        assert await house.live(Life(str(folder), server.url)) == 0
        assert_told(server)
    passed: list[str] = json.loads((folder / PASSED).read_text())
    return passed


async def die_at(house: Nursery, folder: Path, *points: int) -> list[int]:
    """Kill one life after the other at these boundaries, then let one live; assert the truth."""
    folder.mkdir()
    async with receiver() as server:
        life = Life(str(folder), server.url)
        codes = []
        for number, point in enumerate(points):
            codes.append(await house.live(replace(life, number=number, burns_at=point)))
            assert codes[-1] in {0, KILLED}
        assert await house.live(replace(life, number=len(points))) == 0
        assert_told(server)
    return codes


async def die_in_flight(house: Nursery, folder: Path, request: int, *, is_ingested: bool) -> int:
    """Kill an engine while its request of this number is out; assert the truth after the next."""
    folder.mkdir()
    async with StandIn() as server:
        server.fail("accept_then_hang" if is_ingested else "hang", skip=request)
        life = Life(str(folder), server.url)
        out = asyncio.ensure_future(server.wait_for_events(request + 1))
        code = await house.live(life, until=out)
        out.cancel()
        server.faults.clear()
        assert await house.live(replace(life, number=1)) == 0
        assert_told(server)
    return code


def assert_told(server: StandIn) -> None:
    """Assert that each key of the receiver ends in the truth, with nothing opened twice."""
    for key in (KEY, OTHER_KEY):
        mine = [page for page in server.pages if page.key[-4:] == key[-4:]]
        assert Counter(page.source for page in mine) == OPENED
        assert {page.source for page in server.opened(key)} == STILL_OPEN
    ended = set()
    for entry in server.journal:
        under = (entry.key, entry.dedup_key)
        if entry.effect is Effect.RESOLVED:
            ended.add(under)
        elif entry.effect is Effect.DROPPED:
            assert under in ended
        elif entry.action == "trigger" and entry.status == 202:
            assert under not in ended
