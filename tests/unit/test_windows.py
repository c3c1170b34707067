"""Rings of buckets and their clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch.core.audience import LatestWindows
from playwatch.core.samples import SampleBatch
from playwatch.core.windows import BUCKETS, RingWindows

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = 1_800_000_000_000
ONE = np.array([0], np.int32)


def ring(window_s: float = 60.0, *, weighs: bool = True) -> RingWindows:
    windows = RingWindows(window_s, weighs_by_views=weighs)
    windows.reserve(1)
    return windows


def add(
    windows: RingWindows | LatestWindows,
    at: int,
    value: float = 1.0,
    *,
    views: int = 1,
    monotonic_ms: int = 0,
) -> int:
    return windows.add(ONE, SampleBatch.of([0], [at], [value], [views]), monotonic_ms)


def total(windows: RingWindows | LatestWindows, monotonic_ms: int) -> tuple[float, int, int]:
    totals = windows.totals(ONE, windows.clocks.now(ONE, monotonic_ms))
    return float(totals.sums[0]), int(totals.views[0]), int(totals.samples[0])


def now(windows: RingWindows | LatestWindows, monotonic_ms: int) -> int:
    at: NDArray[np.int64] = windows.clocks.now(ONE, monotonic_ms)
    return int(at[0])


def test_a_mean_adds_value_times_views_and_a_sum_adds_values() -> None:
    mean, count = ring(), ring(weighs=False)
    for windows in (mean, count):
        add(windows, T, 3.0, views=10)

    assert total(mean, 0) == (30.0, 10, 1)
    assert total(count, 0) == (3.0, 10, 1)


def test_a_window_holds_between_nineteen_and_twenty_buckets() -> None:
    windows = ring(60)
    start = T // windows.bucket_ms * windows.bucket_ms
    add(windows, start)

    assert total(windows, 59_999) == (1.0, 1, 1)
    assert total(windows, 60_000) == (0.0, 0, 0)


def test_a_short_window_has_buckets_of_a_millisecond_at_least() -> None:
    assert ring(0.001).bucket_ms == 1
    assert ring(60).bucket_ms * BUCKETS == 60_000


def test_a_late_sample_corrects_its_bucket() -> None:
    windows = ring(60)
    add(windows, T)

    assert add(windows, T - 50_000) == 0
    assert total(windows, 0)[2] == 2


def test_what_is_older_than_the_ring_is_late() -> None:
    windows = ring(60)
    add(windows, T)

    assert add(windows, T - 60_000) == 1
    assert total(windows, 0)[2] == 1


def test_a_withdrawn_sample_leaves_nothing_behind() -> None:
    windows = ring(60)
    add(windows, T, 5.0, views=7)
    windows.withdraw(ONE, SampleBatch.of([0], [T], [5.0], [7]))

    assert total(windows, 0) == (0.0, 0, 0)


def test_the_clock_runs_on_between_samples() -> None:
    windows = ring()
    add(windows, T, monotonic_ms=1_000)

    assert now(windows, 31_000) == T + 30_000


def test_the_clock_does_not_stop_for_a_value_that_is_sent_again() -> None:
    windows = ring()
    add(windows, T, monotonic_ms=0)
    add(windows, T, monotonic_ms=10_000)

    assert now(windows, 10_000) == T + 10_000


def test_the_clock_steps_back_when_a_sample_comes_later_than_its_time_promised() -> None:
    windows = ring()
    add(windows, T, monotonic_ms=0)
    add(windows, T + 60_000, monotonic_ms=65_000)

    assert now(windows, 65_000) == T + 60_000


def test_a_monotonic_clock_that_steps_back_stops_the_event_clock_only() -> None:
    windows = ring()
    add(windows, T, monotonic_ms=50_000)

    assert now(windows, 0) == T


def test_a_jump_of_years_empties_the_ring() -> None:
    windows = ring()
    add(windows, T)
    add(windows, T + 10**12)

    assert total(windows, 0)[2] == 1


def test_a_hole_is_covered_once_the_window_has_passed_it() -> None:
    windows = ring(60)
    add(windows, T)
    windows.clocks.resumed_from[0] = T

    assert not windows.covers(ONE, np.array([T]))[0]
    add(windows, T + 600_000)
    assert not windows.covers(ONE, np.array([T + 650_000]))[0]
    assert windows.covers(ONE, np.array([T + 663_000]))[0]


def test_a_stop_shorter_than_a_bucket_leaves_no_hole() -> None:
    windows = ring(60)
    add(windows, T)
    windows.clocks.resumed_from[0] = T
    add(windows, T + 2_000)

    assert windows.covers(ONE, np.array([T + 2_000]))[0]


def test_a_sample_from_before_the_stop_tells_nothing_of_the_hole() -> None:
    windows = ring(60)
    add(windows, T)
    windows.clocks.resumed_from[0] = T
    add(windows, T - 1_000)

    assert not windows.covers(ONE, np.array([T]))[0]
    add(windows, T + 30_000)
    assert not windows.covers(ONE, np.array([T + 30_000]))[0]


def test_the_latest_value_of_a_series_takes_the_place_of_the_one_before() -> None:
    windows = LatestWindows(60)
    windows.reserve(1)
    add(windows, T, 100)
    add(windows, T + 1_000, 70)
    add(windows, T, 900)

    assert total(windows, 0) == (70.0, 1, 1)


def test_a_silent_series_is_forgotten_after_the_window() -> None:
    windows = LatestWindows(60)
    windows.reserve(1)
    add(windows, T, 100)
    windows.forget(59_999)
    assert total(windows, 59_999)[0] == 100
    windows.forget(60_000)

    assert total(windows, 60_000) == (0.0, 0, 0)


def test_a_forgotten_series_counts_again_when_it_speaks() -> None:
    windows = LatestWindows(60)
    windows.reserve(1)
    add(windows, T, 100)
    windows.forget(90_000)
    add(windows, T + 91_000, 50, monotonic_ms=91_000)

    assert total(windows, 91_000) == (50.0, 1, 1)


def test_a_recount_finds_the_same_sums() -> None:
    windows = LatestWindows(60)
    windows.reserve(1)
    add(windows, T, 100)
    windows.sums[0] = 1e9
    windows.recount()

    assert total(windows, 0) == (100.0, 1, 1)
