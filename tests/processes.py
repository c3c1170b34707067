"""Starts the console script as a process, waits for what it says, and ends it.

A start from nothing takes most of a second to import what it needs. Commands
are forks of a process that has done so (`tests.forks`), except where the start or
the end of an engine is the matter: `from_nothing` runs the installed program.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.forks import Fork
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

PLAYWATCH = str(Path(sys.executable).with_name("playwatch"))


class Process:
    """A running `playwatch` command and everything it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process | Fork) -> None:
        self._process = process
        self._said: list[str] = []
        self._news = asyncio.Condition()
        self._readers = [
            asyncio.create_task(self._read(stream))
            for stream in (process.stdout, process.stderr)
            if stream is not None
        ]

    @property
    def said(self) -> str:
        """Its output and its log, as they came."""
        return "".join(self._said)

    async def wait_to_say(self, words: str, times: int = 1) -> None:
        """Return once it has said something; fail when it ends without."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                await self._news.wait_for(
                    lambda: self.said.count(words) >= times or self._has_ended()
                )
        except TimeoutError:
            pass
        assert self.said.count(words) >= times, f"never said {words!r}:\n{self.said}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal and go on."""
        self._process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self.exit_code()

    async def exit_code(self) -> int:
        """Wait for the end and return the exit code."""
        async with asyncio.timeout(PATIENCE_S):
            code = await self._process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def close(self) -> None:
        """End it in any case."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(*self._readers)

    def _has_ended(self) -> bool:
        return all(reader.done() for reader in self._readers)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            async with self._news:
                self._said.append(line.decode())
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def playwatch(*arguments: str, **environment: str) -> AsyncIterator[Process]:
    """Run a command while the context lasts; it never outlives it."""
    async with _ending(Process(await Fork.start(arguments, _environment(environment)))) as process:
        yield process


@asynccontextmanager
async def from_nothing(*arguments: str, **environment: str) -> AsyncIterator[Process]:
    """Run the installed console script while the context lasts, imports and all."""
    program = await asyncio.create_subprocess_exec(
        PLAYWATCH,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(environment),
    )
    async with _ending(Process(program)) as process:
        yield process


async def finished(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and all it said."""
    async with playwatch(*arguments, **environment) as process:
        code = await process.exit_code()
        return code, process.said


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", "COLUMNS": "160", **changes}


@asynccontextmanager
async def _ending(process: Process) -> AsyncIterator[Process]:
    try:
        yield process
    finally:
        await process.close()
