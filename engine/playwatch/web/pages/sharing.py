"""Sharing: a page that many watch is made once for all who ask for it meanwhile.

Fifty browsers that watch one page ask for it within the same tenth of a second,
each time something changes. The first of them has it made, the others wait for
it or are sent what was made a moment ago.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwatch.ports import Clock

FRESH_MS: Final = 2_000
"""How long a page may be sent again while nothing has happened."""
_MOST: Final = 64
_FINE: Final = 200


@dataclass(frozen=True, slots=True)
class _Making:
    """A page being made, or made: of which news, since when; None in it is a failure."""

    number: int
    begun_ms: int
    body: asyncio.Future[bytes | None]


class SharedPages:
    """Keeps what was made of some pages, and who waits for it.

    Parameters
    ----------
    number
        Returns the number of the newest event: a page made before it is old.
    """

    def __init__(self, number: Callable[[], int], clock: Clock) -> None:
        self._number = number
        self._clock = clock
        self._makings: dict[str, _Making] = {}

    async def body(self, key: str) -> bytes | None:
        """Return a page that is fresh, once it is made; None when it has to be made anew."""
        found = self._makings.get(key)
        if found is None or found.number != self._number():
            return None
        if self._clock.monotonic_ms() - found.begun_ms >= FRESH_MS:
            return None
        return await asyncio.shield(found.body)

    async def make(
        self, key: str, make: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Return what is made now, and give it to those who ask meanwhile.

        Only a page that went well is shared: whoever waited for another makes
        it too, and is told for themselves what is wrong.
        """
        if len(self._makings) >= _MOST:
            self._makings.clear()
        body: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        making = _Making(self._number(), self._clock.monotonic_ms(), body)
        self._makings[key] = making
        made: bytes | None = None
        try:
            response = await make()
            if isinstance(response, web.Response) and response.status == _FINE:
                made = response.body if isinstance(response.body, bytes) else None
            return response
        finally:
            body.set_result(made)
            if made is None and self._makings.get(key) is making:
                del self._makings[key]
