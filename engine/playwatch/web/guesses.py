"""Wrong guesses at the log-in: counted, so that nobody can try for long."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwatch.ports import Clock

WINDOW_S: Final = 300
PER_ADDRESS: Final = 10
"""Wrong log-ins from one address within the window; then it has to wait."""
IN_ALL: Final = 200
"""The same over all addresses."""


class Guesses:
    """Counts wrong log-ins within a sliding window."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # (moment, address), oldest first; never longer than IN_ALL.
        self._wrong: deque[tuple[int, str]] = deque(maxlen=IN_ALL)

    def wait_s(self, address: str) -> int:
        """Return how many seconds an address has to wait; 0 when it may try."""
        begin = self._clock.monotonic_ms() - WINDOW_S * 1000
        while self._wrong and self._wrong[0][0] <= begin:
            self._wrong.popleft()
        mine = [at for at, who in self._wrong if who == address]
        if len(mine) >= PER_ADDRESS:
            return -((begin - mine[-PER_ADDRESS]) // 1000)
        if len(self._wrong) >= IN_ALL:
            return -((begin - self._wrong[0][0]) // 1000)
        return 0

    def wrong(self, address: str) -> None:
        """Count a wrong log-in."""
        self._wrong.append((self._clock.monotonic_ms(), address))
