"""What steps have decided, committed in order while the next are evaluated.

A disk that takes long for a commit then delays what is to be stored, and
nothing else: a sample is judged at once, and its page waits for the commit
under way, whoever's that is, and for its own, which takes along all that was
decided meanwhile.

Nothing is acknowledged before everything ahead of it is stored. So a crash
loses nothing: the source hands over again what was evaluated ahead.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from playwatch.core.deliveries import Changes
from playwatch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from playwatch.core.pipeline import Step
    from playwatch.ports import Clock, Store

MOST_STEPS: Final = 1_000
"""How many steps may be evaluated ahead of the store."""
MOST_CHANGED: Final = 10_000
"""How many changed incidents may."""
_HANGS_MS: Final = 10_000
_RETRY_S: Final = 1.0

log = logging.getLogger("playwatch.evaluate")


class Commits:
    """Commits what it is given, in order, many steps in one transaction.

    Parameters
    ----------
    conclude
        Called with each step that changed something, once it is stored, and
        whether all that is to be delivered was new to the store.
    """

    def __init__(self, store: Store, clock: Clock, conclude: Callable[[Step, bool], None]) -> None:
        self._store = store
        self._clock = clock
        self._conclude = conclude
        self._queue: deque[tuple[Step, Callable[[], None]]] = deque()
        self._changed = 0
        self._given = self._stored = 0
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._began_ms = 0
        self._is_refused = False

    @property
    def can_store(self) -> bool:
        """False while the store refuses a commit, or has kept one for ten seconds."""
        if not self._queue:
            return True
        return not self._is_refused and self._clock.monotonic_ms() - self._began_ms < _HANGS_MS

    def put(self, step: Step, stored: Callable[[], None] = lambda: None) -> None:
        """Have a step committed after those before it, then call back."""
        self._raise_failure()
        if not self._queue and not step.changes:
            stored()
            return
        self._queue.append((step, stored))
        self._changed += len(step.changes.incidents)
        self._given += 1
        if self._task is None or self._task.done():
            self._began_ms = self._clock.monotonic_ms()
            self._task = asyncio.create_task(self._run(), name="commit")

    async def room(self) -> None:
        """Wait until another step may be evaluated: not while the store refuses."""
        while self._is_refused or self._is_full:
            await self._next()
        self._check()

    async def settled(self) -> None:
        """Wait until everything that was put is stored.

        Raises
        ------
        StoreError
            If it will not be, because `close` came first.
        """
        given = self._given
        while self._stored < given:
            await self._next()

    async def close(self) -> None:
        """Commit no more; what is not stored was not acknowledged either."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def _is_full(self) -> bool:
        return len(self._queue) >= MOST_STEPS or self._changed >= MOST_CHANGED

    async def _next(self) -> None:
        """Wait for the next commit to end; raise what has ended the last one."""
        self._check()
        self._moved.clear()
        await self._moved.wait()

    def _check(self) -> None:
        """Raise when nobody commits what waits."""
        self._raise_failure()
        if self._queue and self._task is not None and self._task.done():
            message = "what was decided last is not stored"
            raise StoreError(message)

    def _raise_failure(self) -> None:
        """Raise the mistake of ours that has ended the commits, if any."""
        task = self._task
        if task is not None and task.done() and not task.cancelled():
            task.result()

    async def _run(self) -> None:
        try:
            while self._queue:
                self._began_ms = self._clock.monotonic_ms()
                await self._store.turn()
                steps = [step for step, _ in self._queue]
                are_new = await self._commit(_together([step.changes for step in steps]))
                for step in steps:
                    _, stored = self._queue.popleft()
                    self._changed -= len(step.changes.incidents)
                    self._stored += 1
                    if step.changes:
                        self._conclude(step, are_new)
                    stored()
                self._moved.set()
        finally:
            self._moved.set()

    async def _commit(self, changes: Changes) -> bool:
        """Commit, trying again for as long as the store refuses."""
        while True:
            try:
                are_new = await self._store.commit(changes)
            except StoreError as error:
                if not self._is_refused:
                    log.error("cannot commit, evaluation waits: %s", error)  # noqa: TRY400 - a sentence
                self._is_refused = True
                await self._clock.sleep(_RETRY_S)
            else:
                if self._is_refused:
                    log.info("the store takes commits again")
                self._is_refused = False
                return are_new


def _together(many: Collection[Changes]) -> Changes:
    """Return changes as one, in their order."""
    return Changes(
        [one for each in many for one in each.incidents],
        [one for each in many for one in each.deliveries],
        [one for each in many for one in each.decisions],
        [one for each in many for one in each.audit],
    )
