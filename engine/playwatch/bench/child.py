"""A process that a bench has started, and that never outlives it."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, NoReturn, Self

from playwatch.errors import PlaywatchError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

START_S: Final = 30.0
"""How long a process may take to begin its work."""

_STOP_S: Final = 5.0
_KEPT_LINES: Final = 20


class BenchError(PlaywatchError):
    """The environment's fault: something that a bench needs is missing or does not work."""


class Child:
    """A process with what it says on stderr; an async context manager.

    It is in a session of its own, so that a Ctrl-C in the terminal reaches the
    bench alone, which then ends it.

    Parameters
    ----------
    what
        Its name in errors.
    command
        The program and its arguments.

    Raises
    ------
    BenchError
        On entering, when it cannot be started.
    """

    def __init__(self, what: str, command: Sequence[str]) -> None:
        self._what = what
        self._command = command
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self.has_ended = False
        self._news = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start it."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            message = f"{self._what} cannot be started: {error.strerror}"
            raise BenchError(message) from error
        self._reading = asyncio.create_task(self._read(self._process))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, by force when it does not end by itself."""
        process, reading = self._process, self._reading
        if process is None or reading is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            pass  # it is killed below
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await reading

    async def says(self, words: str) -> str:
        """Return the first line with some words.

        Raises
        ------
        BenchError
            If it ends without, or takes too long.
        """
        try:
            async with asyncio.timeout(START_S), self._news:
                await self._news.wait_for(lambda: self._line(words) or self.has_ended)
        except TimeoutError:
            pass
        line = self._line(words)
        if line is None:
            self.fail("did not start")
        return line

    def fail(self, what: str) -> NoReturn:
        """Raise `BenchError`: what it did, and its last words."""
        last = self._said[-1] if self._said else "it said nothing"
        process = self._process
        if process is not None and process.returncode is not None:
            what = f"{what} and has ended with exit code {process.returncode}"
        message = f"{self._what} {what}; its last words: {last}"
        raise BenchError(message)

    def _line(self, words: str) -> str | None:
        return next((line for line in self._said if words in line), None)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stderr
        while stream is not None and (line := await stream.readline()):
            async with self._news:
                self._said.append(line.decode(errors="replace").strip())
                self._news.notify_all()
        await process.wait()
        async with self._news:
            self.has_ended = True
            self._news.notify_all()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
