"""Search: which of many texts hold one that somebody looks for.

A hundred thousand texts take some 10 ms to look through, which nobody who
publishes a sample may have to wait for: a part of them is looked at, then
whatever else is due has its turn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AT_ONCE: Final = 4_096
"""Texts that are looked at before something else has its turn: half a millisecond."""
BETWEEN: Final = "\x1e\x1e"
"""Stands between texts, and in none: names and values of dimensions never hold it."""


async def rows_with(
    sought: str, rows: Sequence[int], texts: Callable[[Sequence[int]], str]
) -> list[int]:
    """Return the rows whose text holds another, whatever the case, in their order.

    Parameters
    ----------
    texts
        Returns the texts of some rows in one, with `BETWEEN` between them.

    Notes
    -----
    All of them are looked at as one, and apart only where that has it: what is
    rare is found in half the time.
    """
    wanted = sought.casefold()
    found: list[int] = []
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        known = texts(part).casefold()
        if wanted in known:
            lines = known.split(BETWEEN)
            found += [row for row, text in zip(part, lines, strict=True) if wanted in text]
        await asyncio.sleep(0)
    return found
