"""A fuse: ends the process with -9 at one of the boundaries that it passes.

The product knows nothing of it: a store and a channel are wrapped here.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, TypeVar

from playwatch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Channel

_T = TypeVar("_T")


class Fuse:
    """Counts boundaries, and kills at the one whose number it was given; 0 kills at none."""

    def __init__(self, burns_at: int) -> None:
        self._burns_at = burns_at
        self.passed: list[str] = []

    def reach(self, boundary: str) -> None:
        self.passed.append(boundary)
        if len(self.passed) == self._burns_at:
            os.kill(os.getpid(), signal.SIGKILL)


class FusedStore(SqliteStore):
    """Has a boundary before each commit, in each transaction and after it."""

    fuse: Fuse

    async def _run(self, begin: str, verb: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if verb == "read":
            return await super()._run(begin, verb, work)
        fuse = self.fuse

        def until_commit(database: sqlite3.Connection) -> _T:
            result = work(database)
            fuse.reach("all written, not committed")
            return result

        fuse.reach("before a transaction")
        result = await super()._run(begin, verb, until_commit)
        fuse.reach("committed")
        return result


class FusedChannel:
    """Has a boundary before each request and after each answer."""

    confirms_resolves = True

    def __init__(self, inner: Channel, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse
        self.name = inner.name
        self.key_fingerprint = inner.key_fingerprint

    async def send(self, delivery: Delivery) -> Attempt:
        self._fuse.reach(f"before the {delivery.action.value} is sent")
        attempt = await self._inner.send(delivery)
        self._fuse.reach(f"the {delivery.action.value} is answered")
        return attempt

    async def close(self) -> None:
        await self._inner.close()
