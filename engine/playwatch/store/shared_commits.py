"""Writes that share a commit: what comes while the disk is busy goes with the next.

A commit costs what the disk takes to make it durable, however much is in it.
So nobody waits for more than the commit under way and their own, whoever else
writes: incidents, the ends of attempts, a piece of a snapshot.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Sequence

    Work = Callable[[sqlite3.Connection], Any]
    Outcomes = list[tuple[Any, Exception | None]]

_T = TypeVar("_T")


class SharedCommits:
    """Runs writes in the order they come, as few transactions as that allows.

    Parameters
    ----------
    call
        Calls a function with the connection, on the connection's thread.
    """

    def __init__(self, call: Callable[[Work], Awaitable[Any]]) -> None:
        self._call = call
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_free = asyncio.Event()
        self._is_free.set()

    async def turn(self) -> None:
        """Wait until nothing is under way.

        Who writes at once then, without waiting for anything else, shares the
        next commit with what waits already.
        """
        await self._is_free.wait()

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what a write returned once it is durable, or raise what it raised.

        Notes
        -----
        Not undone when its caller is cancelled. A write that fails does not
        take along those that would have shared its commit.
        """
        written: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, written))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="shared commits")
        return await written

    async def end(self) -> None:
        """Wait until nothing is under way."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            self._is_free.clear()
            try:
                outcomes = await self._call(partial(_attempt, [work for work, _ in taken]))
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait raise it
                outcomes = [(None, error)] * len(taken)
            for (_, written), outcome in zip(taken, outcomes, strict=True):
                _tell(written, *outcome)
            self._is_free.set()
            # Who has waited for this commit may have something for the next.
            await asyncio.sleep(0)


def _tell(written: asyncio.Future[Any], result: object, failure: Exception | None) -> None:
    """Tell who waits, unless nobody does."""
    if written.done():
        return
    if failure is None:
        written.set_result(result)
    else:
        written.set_exception(failure)


def _attempt(works: Sequence[Work], database: sqlite3.Connection) -> Outcomes:
    """Run works in one transaction, or each in its own when one of them fails."""
    failed: list[Exception] = []

    def together(database: sqlite3.Connection) -> Outcomes:
        try:
            return [(work(database), None) for work in works]
        except Exception as error:
            failed.append(error)
            raise

    try:
        return transact("BEGIN IMMEDIATE", together, database)
    except Exception:
        if not failed:  # the disk or a lock: no work is at fault
            raise
    if len(works) == 1:
        return [(None, failed[0])]
    return [_attempt([work], database)[0] for work in works]


def transact(
    begin: str, work: Callable[[sqlite3.Connection], _T], database: sqlite3.Connection
) -> _T:
    """Run work in a transaction of its own."""
    database.execute(begin)
    try:
        result = work(database)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    return result
