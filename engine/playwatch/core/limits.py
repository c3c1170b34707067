"""A sliding-window limit: so many calls in any minute, and no pacing below that."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW_MS: Final = 60_000


class SlidingWindow:
    """Counts calls so that a receiver never sees more than a limit in any window.

    Parameters
    ----------
    limit
        Calls in any window; None for no limit. May be set anew.
    window_ms
        Length of the window, milliseconds.

    Notes
    -----
    A call counts from its beginning until a window after its *end*: a receiver
    counts it at some moment in between, which the caller cannot know. Below the
    limit nothing is ever delayed.
    """

    def __init__(self, limit: int | None, window_ms: int = WINDOW_MS) -> None:
        self.limit = limit
        self._window_ms = window_ms
        self._under_way = 0
        self._ended: deque[int] = deque()

    def room(self, now_ms: int) -> int | None:
        """Return how many calls may begin now; None for any number."""
        if self.limit is None:
            return None
        while self._ended and self._ended[0] <= now_ms - self._window_ms:
            self._ended.popleft()
        return max(0, self.limit - self._under_way - len(self._ended))

    def opens_at(self, now_ms: int) -> int | None:
        """Return when the next call may begin; None when only an end can tell."""
        room = self.room(now_ms)
        if room is None or room > 0:
            return now_ms
        return self._ended[0] + self._window_ms if self._ended else None

    def recall(self, ended: Iterable[int]) -> None:
        """Count calls that had ended before this window was made."""
        if self.limit is not None:
            self._ended = deque(sorted([*self._ended, *ended]))

    def begin(self) -> None:
        """Count a call that begins."""
        self._under_way += 1

    def end(self, now_ms: int) -> None:
        """Count a call that has ended; times never go back."""
        self._under_way -= 1
        if self.limit is not None:
            self._ended.append(now_ms)
        else:
            self._ended.clear()
