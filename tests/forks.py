"""The console script without its imports: a process that has them forks for each command.

A command so costs a tenth of the processor time of a start from nothing. It is
a process all the same: it has its own memory, signals, output and exit code.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import TYPE_CHECKING, Any, Final, Self

import playwatch
from playwatch.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT: Final = Path(__file__).parents[1]
_LONGEST: Final = 1 << 18
_STREAMS: Final = 4
"""Input, output, errors, and the pipe that tells the number and the end of the process."""


class Fork:
    """A command that runs; what `asyncio.subprocess.Process` is for a program.

    Attributes
    ----------
    stdout, stderr
        What it says.
    pid
        The number of its process.
    returncode
        None while it runs; the negative number of a signal that ended it.
    """

    def __init__(
        self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._ending: asyncio.Future[int] | None = None

    @classmethod
    async def start(cls, arguments: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Start a command."""
        pipes = [os.pipe() for _ in range(3)]
        with open(os.devnull, "rb") as nothing:  # noqa: ASYNC230, PTH123 - nothing is read
            theirs = [nothing.fileno(), *(writing for _, writing in pipes)]
            what = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
            _nursery().ask(what, theirs)
        for _, writing in pipes:
            os.close(writing)
        stdout, stderr, told = [await _reading(reading) for reading, _ in pipes]
        fork = cls(int(await told.readline()), stdout, stderr)
        fork._ending = asyncio.ensure_future(fork._end(told))
        return fork

    async def _end(self, told: asyncio.StreamReader) -> int:
        self.returncode = int(await told.readline())
        await told.read()
        return self.returncode

    async def wait(self) -> int:
        """Wait for its end."""
        assert self._ending is not None
        return await self._ending

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def _reading(pipe: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0)
    )
    return reader


class Nursery:
    """The process that forks, as the tests see it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=_ROOT,
                stdin=DEVNULL,
                stdout=DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )

    def ask(self, what: Mapping[str, Any], streams: Sequence[int]) -> None:
        socket.send_fds(self._socket, [json.dumps(what).encode()], streams)

    def close(self) -> None:
        """End it; it ends as well when this process does."""
        self._socket.close()
        self._process.wait()


@cache
def _nursery() -> Nursery:
    return Nursery()


def close() -> None:
    """End the process that forks, if there is one."""
    if _nursery.cache_info().currsize:
        _nursery().close()
        _nursery.cache_clear()


def _serve(channel: socket.socket) -> bool:
    """Fork for each request until nobody asks any more; return True in each command."""
    for module in pkgutil.walk_packages(playwatch.__path__, "playwatch."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()
    while True:
        said, streams, _, _ = socket.recv_fds(channel, _LONGEST, _STREAMS)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not said:
            return False
        if os.fork() == 0:
            channel.close()
            _keep(json.loads(said), streams)
            return True
        for stream in streams:
            os.close(stream)


def _keep(what: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Fork the command, in which alone this returns, and tell how it ends."""
    *standard, telling = streams
    pid = os.fork()
    if pid == 0:
        os.close(telling)
        _become(what, standard)
        return
    for stream in standard:
        os.close(stream)
    with os.fdopen(telling, "w") as told:
        print(pid, file=told, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=told, flush=True)
    os._exit(0)


def _become(what: Mapping[str, Any], standard: Sequence[int]) -> None:
    """Take the arguments, the environment, the folder and the streams of a command."""
    for number, stream in enumerate(standard):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(what["folder"])
    os.environ.clear()
    os.environ.update(what["environment"])
    time.tzset()
    sys.argv = ["playwatch", *what["arguments"]]


if __name__ == "__main__" and _serve(socket.socket(fileno=int(sys.argv[1]))):
    main()
