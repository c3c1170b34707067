from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from playwatch.store.shared_commits import SharedCommits
from tests.fakes import settle

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


class Disk:
    """Takes one transaction at a time, each until it is let go."""

    def __init__(self) -> None:
        self.shared: list[int] = []
        self._go = asyncio.Semaphore(0)

    async def call(self, work: Callable[[sqlite3.Connection], Any]) -> list[tuple[None, None]]:
        (works,) = work.args  # type: ignore[attr-defined] # a partial of what shares the commit
        self.shared.append(len(works))
        await self._go.acquire()
        return [(None, None)] * len(works)

    def let_go(self) -> None:
        self._go.release()


def nothing(_: sqlite3.Connection) -> None:
    pass


async def test_what_comes_while_the_disk_is_busy_shares_the_next_commit() -> None:
    disk = Disk()
    commits = SharedCommits(disk.call)
    writing = []
    for _ in range(3):
        writing.append(asyncio.create_task(commits.write(nothing)))
        await settle()
    disk.let_go()
    disk.let_go()
    await asyncio.gather(*writing)

    assert disk.shared == [1, 2]


async def test_who_has_waited_for_a_turn_writes_in_the_very_next_commit() -> None:
    disk = Disk()
    commits = SharedCommits(disk.call)
    await commits.turn()

    async def later() -> None:
        await commits.turn()
        await commits.write(nothing)

    writing = [asyncio.create_task(commits.write(nothing))]
    await settle()
    writing.append(asyncio.create_task(commits.write(nothing)))
    writing.append(asyncio.create_task(later()))
    await settle()
    disk.let_go()
    disk.let_go()
    await asyncio.gather(*writing)

    assert disk.shared == [1, 2]
