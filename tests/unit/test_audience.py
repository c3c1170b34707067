from __future__ import annotations

import pytest

from playwatch.demo.audience import (
    FAILURES,
    FIRST_S,
    LENGTH_S,
    PAIRS,
    PERIOD_S,
    REBUFFERING,
    VIEWERS,
    Audience,
    FaultKind,
    Sample,
)

SEEDS = range(5)


def hit(samples: list[Sample], metric: str, *, beyond: float) -> set[tuple[str, str]]:
    """Return where a metric is above a value."""
    return {
        (sample.country, sample.cdn)
        for sample in samples
        if sample.metric == metric and sample.value > beyond
    }


def test_one_seed_is_one_audience() -> None:
    assert Audience(7).sample(20) == Audience(7).sample(20)
    assert Audience(7).sample(20) != Audience(8).sample(20)


def test_a_seed_may_be_negative() -> None:
    assert Audience(-1).sample(0) != Audience(1).sample(0)


def test_seconds_may_be_left_out_and_asked_for_again() -> None:
    audience = Audience(1)
    expected = audience.sample(9)
    for second in (40, 3, 9):
        samples = audience.sample(second)

        assert (samples == expected) == (second == 9)


def test_every_place_reports_every_metric_in_its_range() -> None:
    audience = Audience(1)
    for second in range(0, 100, 7):
        samples = audience.sample(second)

        assert [(one.metric, one.country, one.cdn) for one in samples] == [
            (metric, *pair) for metric in (FAILURES, REBUFFERING, VIEWERS) for pair in PAIRS
        ]
        assert all(one.views >= 0 for one in samples)
        assert all(0 <= one.value <= 100 for one in samples if one.metric != VIEWERS)


@pytest.mark.parametrize("seed", SEEDS)
def test_about_one_view_in_a_hundred_fails_when_all_is_well(seed: int) -> None:
    audience = Audience(seed, fault_limit=0)
    samples = [
        one for second in range(20) for one in audience.sample(second) if one.metric == FAILURES
    ]
    views = sum(one.views for one in samples)

    assert 0.8 < sum(one.value * one.views for one in samples) / views < 1.2


def test_faults_come_one_at_a_time_and_each_kind_in_turn() -> None:
    audience = Audience(3)
    starts = [FIRST_S + number * PERIOD_S for number in range(6)]
    found = [audience.fault(start) for start in starts]

    assert [fault.kind for fault in found if fault] == [*FaultKind, *FaultKind]
    assert [(fault.start_s, fault.end_s) for fault in found if fault] == [
        (start, start + LENGTH_S) for start in starts
    ]
    assert [audience.fault(start - 1) for start in starts] == [None] * 6
    assert [audience.fault(start + LENGTH_S) for start in starts] == [None] * 6


def test_a_limit_ends_the_faults() -> None:
    audience = Audience(3, fault_limit=1)

    assert audience.fault(FIRST_S) is not None
    assert audience.fault(FIRST_S + PERIOD_S) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_views_fail_only_where_and_while_the_fault_is(seed: int) -> None:
    audience = Audience(seed)
    fault = audience.fault(FIRST_S)

    assert fault is not None
    for second in range(FIRST_S - 3, FIRST_S + LENGTH_S + 3):
        where = {(fault.country, fault.cdn)} if fault.start_s <= second < fault.end_s else set()

        assert hit(audience.sample(second), FAILURES, beyond=15) == where


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_cdn_is_slow_in_every_country(seed: int) -> None:
    audience = Audience(seed)
    start = FIRST_S + PERIOD_S
    fault = audience.fault(start)

    assert fault is not None
    assert hit(audience.sample(start), REBUFFERING, beyond=4) == {
        pair for pair in PAIRS if pair[1] == fault.cdn
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_country_that_is_cut_off_loses_nearly_everybody(seed: int) -> None:
    audience = Audience(seed)
    start = FIRST_S + 2 * PERIOD_S
    fault = audience.fault(start)

    assert fault is not None
    assert hit(audience.sample(start), VIEWERS, beyond=3000) == {
        pair for pair in PAIRS if pair[0] != fault.country
    }
