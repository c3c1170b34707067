"""Wrong guesses at tokens: counted, so that nobody can try for long."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwatch.ports import Clock

WINDOW_S: Final = 300
PER_ADDRESS: Final = 10
"""Wrong guesses from one address within the window; then it has to wait."""
IN_ALL: Final = 200
"""The same over all addresses, where that counts."""
_MOST: Final = 2_000


class Guesses:
    """Counts wrong guesses within a sliding window.

    Parameters
    ----------
    in_all
        After how many over all addresses everyone has to wait; None for never.
    """

    def __init__(self, clock: Clock, in_all: int | None = None) -> None:
        self._clock = clock
        self._in_all = in_all
        # (moment, address, what was tried), oldest first; bounded, whoever tries.
        self._wrong: deque[tuple[int, str, int]] = deque(maxlen=in_all or _MOST)

    def wait_s(self, address: str) -> int:
        """Return how many seconds an address has to wait; 0 when it may try."""
        begin = self._clock.monotonic_ms() - WINDOW_S * 1000
        while self._wrong and self._wrong[0][0] <= begin:
            self._wrong.popleft()
        mine = [at for at, who, _ in self._wrong if who == address]
        if len(mine) >= PER_ADDRESS:
            return -((begin - mine[-PER_ADDRESS]) // 1000)
        if self._in_all is not None and len(self._wrong) >= self._in_all:
            return -((begin - self._wrong[0][0]) // 1000)
        return 0

    def wrong(self, address: str, tried: str = "") -> None:
        """Count a wrong guess.

        Parameters
        ----------
        tried
            What was tried; the same again from one address counts once. A
            program with an old token repeats it all day, and guesses nothing.
        """
        mark = hash(tried) if tried else 0
        if tried and any((who, what) == (address, mark) for _, who, what in self._wrong):
            return
        self._wrong.append((self._clock.monotonic_ms(), address, mark))
