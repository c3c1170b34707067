"""The sliding window against a list of everything that ever happened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playwatch.core.limits import SlidingWindow

WINDOW_MS = 60

STEPS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 25)), max_size=60)
"""Of each call: how long after the one before it is wanted, and how long it takes."""


class NaiveWindow:
    """Keeps begin and end of every call."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.calls: list[tuple[int, int | None]] = []

    def room(self, now_ms: int) -> int:
        counted = [end for _, end in self.calls if end is None or now_ms < end + WINDOW_MS]
        return max(0, self.limit - len(counted))


@given(limit=st.integers(1, 8), steps=STEPS)
def test_it_counts_as_the_list_does_and_says_when_it_opens(
    limit: int, steps: list[tuple[int, int]]
) -> None:
    window, naive = SlidingWindow(limit, WINDOW_MS), NaiveWindow(limit)
    now_ms = 0
    for gap, length in steps:
        now_ms += gap
        assert window.room(now_ms) == naive.room(now_ms)
        opens_ms = window.opens_at(now_ms)
        assert opens_ms is not None  # nothing is under way here
        assert naive.room(opens_ms) > 0
        assert opens_ms == now_ms or naive.room(opens_ms - 1) == 0
        now_ms = opens_ms
        window.begin()
        now_ms += length
        window.end(now_ms)
        naive.calls.append((now_ms - length, now_ms))


@given(limit=st.integers(1, 8), steps=STEPS, delays=st.lists(st.integers(0, 25), min_size=60))
def test_no_receiver_sees_more_than_the_limit_in_any_window(
    limit: int, steps: list[tuple[int, int]], delays: list[int]
) -> None:
    """A call reaches the receiver at some moment between its begin and its end."""
    window, now_ms, seen = SlidingWindow(limit, WINDOW_MS), 0, []
    under_way: list[int] = []
    for (gap, length), delay in zip(steps, delays, strict=False):
        now_ms += gap
        while (window.room(now_ms) or 0) == 0:
            opens_ms = window.opens_at(now_ms)
            ended = [end for end in under_way if opens_ms is None or end <= opens_ms]
            now_ms = max(now_ms, min(ended)) if ended else (opens_ms or now_ms)
            for end in ended[:1]:
                under_way.remove(min(ended))
                window.end(max(end, now_ms))
        window.begin()
        under_way.append(now_ms + length)
        seen.append(now_ms + min(delay, length))
    for moment in seen:
        assert sum(moment <= other < moment + WINDOW_MS for other in seen) <= limit


def test_below_the_limit_nothing_waits() -> None:
    window = SlidingWindow(100)

    for _ in range(100):
        assert window.opens_at(0) == 0
        window.begin()

    assert window.room(0) == 0
    assert window.opens_at(0) is None


def test_without_a_limit_there_is_always_room() -> None:
    window = SlidingWindow(None)

    for _ in range(1_000):
        window.begin()
        window.end(0)

    assert window.room(0) is None
    assert window.opens_at(0) == 0


def test_a_limit_set_anew_counts_from_there_on() -> None:
    window = SlidingWindow(2)
    for _ in range(2):
        window.begin()
        window.end(0)

    window.limit = 3

    assert window.room(0) == 1
