"""Asks a running engine over HTTP about deliveries that wait or were given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from playwatch.core.deliveries import DeliveryStatus
    from playwatch.web.client import RemoteDesk


class RemoteLetters:
    """A `LetterDesk` of a running engine.

    Parameters
    ----------
    engine
        What asks it.
    """

    def __init__(self, engine: RemoteDesk) -> None:
        self._engine = engine

    async def letters(
        self, statuses: Collection[DeliveryStatus], limit: int, offset: int = 0
    ) -> list[dict[str, Any]]:
        """Return deliveries that stand so, in the order they were decided."""
        asked = [("status", one.value) for one in statuses]
        query = urlencode([*asked, ("limit", limit), ("offset", offset)])
        found: list[dict[str, Any]] = (
            await self._engine.ask("GET", f"/api/v1/deliveries?{query}") or []
        )
        return found

    async def replay(self, ids: Sequence[str], author: str) -> int:
        """Queue given-up deliveries again; return how many."""
        return await self._count("replay", ids, author)

    async def purge(self, ids: Sequence[str], author: str) -> int:
        """Forget given-up deliveries; return how many."""
        return await self._count("purge", ids, author)

    async def _count(self, verb: str, ids: Sequence[str], author: str) -> int:
        body = {"ids": list(ids), "author": author}
        answer = await self._engine.ask("POST", f"/api/v1/deliveries/{verb}", body)
        count: int = answer["count"]
        return count
