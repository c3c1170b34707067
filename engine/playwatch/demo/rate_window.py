"""So many calls in any minute, per key."""

from __future__ import annotations

from collections import deque
from typing import Final

_MINUTE_MS: Final = 60_000
_KEYS: Final = 10_000


class RateWindow:
    """Admits calls in a sliding window of 60 s; refused ones do not count.

    Parameters
    ----------
    limit
        Calls in any 60 s and key; None admits all.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._calls: dict[str, deque[int]] = {}

    def admits(self, key: str, now_ms: int) -> bool:
        """Return whether one more call is within the limit, and count it if so."""
        if self._limit is None:
            return True
        calls = self._calls.setdefault(key, deque())
        while calls and calls[0] <= now_ms - _MINUTE_MS:
            calls.popleft()
        if len(calls) >= self._limit:
            return False
        calls.append(now_ms)
        if len(self._calls) > _KEYS:
            del self._calls[next(iter(self._calls))]
        return True
