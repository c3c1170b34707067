"""Intervals close one after the other, by the event clock of each group."""

from __future__ import annotations

import numpy as np

from playwatch.core.intervals import LATENESS_S, Contributions, IntervalRings, Sums

MINUTE_MS = 60_000
START = 1_800_000_000_000 // MINUTE_MS * MINUTE_MS


class Ring:
    """One group, with times in seconds since the start."""

    def __init__(self, *, skips_first: bool = False) -> None:
        self.rings = IntervalRings(60.0, skips_first=skips_first)
        self.rings.reserve(1)
        self.closed: list[tuple[float, float, int]] = []

    def add(self, at_s: float, value: float = 1.0, heard_s: float | None = None) -> None:
        heard_ms = round((at_s if heard_s is None else heard_s) * 1000)
        one = Contributions(
            np.zeros(1, np.int32),
            np.array([START + round(at_s * 1000)], np.int64),
            np.array([value]),
            np.array([1], np.int64),
            np.array([1 if value >= 0 else -1], np.int32),
            np.array([heard_ms], np.int64),
        )
        self.keep(*self.rings.add(one))

    def wait(self, until_s: float) -> None:
        self.keep(*self.rings.due(1, round(until_s * 1000)))

    def keep(self, *closed: Sums) -> None:
        for sums in closed:
            ends_s = (int(sums.ends_at[0]) - START) / 1000
            self.closed.append((ends_s, float(sums.weight[0]), int(sums.samples[0])))


def test_an_interval_closes_a_little_after_its_end() -> None:
    ring = Ring()
    ring.add(5)
    ring.add(55)

    ring.wait(60 + LATENESS_S - 0.001)
    assert ring.closed == []
    ring.wait(60 + LATENESS_S)
    assert ring.closed == [(60.0, 2.0, 2)]
    ring.wait(1000)
    assert len(ring.closed) == 1


def test_a_sample_that_is_a_little_late_still_counts_and_a_later_one_does_not() -> None:
    ring = Ring()
    ring.add(10)
    ring.add(65)
    ring.add(58, heard_s=66)
    ring.wait(75)
    ring.add(59, heard_s=76)

    ring.wait(200)
    assert ring.closed == [(60.0, 2.0, 2), (120.0, 1.0, 1)]


def test_silence_leaves_no_interval() -> None:
    ring = Ring()
    ring.add(10)
    ring.add(60 * 60 + 10)
    ring.wait(2 * 60 * 60)

    assert [ends for ends, _, _ in ring.closed] == [60.0, 61 * 60.0]


def test_a_batch_over_many_intervals_closes_them_in_order() -> None:
    ring = Ring()
    ats = [600, 30, 130, 70]
    samples = Contributions(
        np.zeros(4, np.int32),
        np.array([START + at * 1000 for at in ats], np.int64),
        np.ones(4),
        np.ones(4, np.int64),
        np.ones(4, np.int32),
        np.zeros(4, np.int64),
    )
    ring.keep(*ring.rings.add(samples))
    ring.wait(10_000)

    assert [ends for ends, _, _ in ring.closed] == [60, 120, 180, 660]


def test_the_clock_of_a_source_that_is_behind_stands_behind() -> None:
    ring = Ring()
    ring.add(10, heard_s=300)
    ring.wait(340)
    assert ring.closed == []
    ring.wait(300 + 50 + LATENESS_S)

    assert ring.closed == [(60.0, 1.0, 1)]


def test_a_sample_that_is_taken_back_leaves_nothing() -> None:
    ring = Ring()
    ring.add(10, 4.0)
    ring.add(10, -4.0)
    ring.wait(100)

    assert ring.closed == [(60.0, 0.0, 0)]


def test_the_first_interval_of_a_sum_is_left_out_for_nobody_knows_what_was_missed() -> None:
    ring = Ring(skips_first=True)
    ring.add(40)
    ring.add(70)
    ring.wait(200)

    assert [ends for ends, _, _ in ring.closed] == [120.0]


def test_after_a_hole_a_sum_begins_anew_and_a_mean_goes_on() -> None:
    for skips_first, expected in ((True, [180.0]), (False, [120.0, 180.0])):
        ring = Ring(skips_first=skips_first)
        ring.add(10)
        ring.add(70)
        ring.wait(75)
        ring.closed.clear()
        ring.rings.resume(1)
        ring.add(80)
        ring.add(130)
        ring.wait(400)

        assert [ends for ends, _, _ in ring.closed] == expected
