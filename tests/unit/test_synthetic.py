"""The simulated audience keeps what it promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from playwatch_models.synthetic import ANY, Audience, Fault, Property, draw, simulate

SMALL = Audience(sizes=(3, 4), step_s=600.0, intervals=600, warm_up=100, mean_views=5000.0)


def steady(seed: int = 1) -> Property:
    """Return a property where nothing happens."""
    return replace(
        draw(SMALL, np.random.default_rng(seed)), faults=(), surges=(), restarts=(), regime=0.0
    )


def played(one: Property, seed: int = 2) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
    """Return views and failures, shape ``(intervals, 2, leaves)``; NaN where missing."""
    missing = (np.full(len(one.views), np.nan),) * 2
    rng = np.random.default_rng(seed)
    return np.array([missing if batch is None else batch for batch in simulate(one, rng)])


def test_the_same_seed_plays_the_same() -> None:
    np.testing.assert_array_equal(played(steady()), played(steady()))


def test_failures_are_never_more_than_views() -> None:
    for seed in range(6):
        counts = played(draw(SMALL, np.random.default_rng(seed)))

        assert np.nanmin(counts[:, 0] - counts[:, 1]) >= 0


def test_a_fault_raises_its_leaves_for_its_time() -> None:
    fault = Fault(300, 340, (1, ANY), 8.0)
    quiet, faulty = steady(), replace(steady(), faults=(fault,))
    hit = quiet.values[:, 0] == 1
    before, after = played(quiet)[300:340, 1].sum(axis=0), played(faulty)[300:340, 1].sum(axis=0)

    assert after[hit].sum() > 5 * before[hit].sum()
    assert after[~hit].sum() == pytest.approx(before[~hit].sum(), rel=0.3)


def test_a_restarted_publisher_sends_twice_as_much_after_a_hole() -> None:
    counts = played(replace(steady(), restarts=(200,)))[:, 0].sum(axis=1)

    assert np.isnan(counts[200])
    assert counts[201] == pytest.approx(counts[199] + counts[202], rel=0.2)


def test_noise_is_more_than_counting() -> None:
    plain = replace(steady(), scatter=0.0, burst=1.0)
    for noisy in (replace(plain, scatter=0.005), replace(plain, burst=2.5)):
        spread = [
            np.var(played(one)[:, 1].sum(axis=1) / played(one)[:, 0].sum(axis=1))
            for one in (plain, noisy)
        ]

        assert spread[1] > 1.15 * spread[0]


def test_a_fleet_has_faults_after_its_warm_up() -> None:
    drawn = [draw(SMALL, np.random.default_rng(seed)) for seed in range(60)]
    faults = [fault for one in drawn for fault in one.faults]

    assert 70 < len(faults) < 180
    assert min(fault.starts for fault in faults) >= SMALL.warm_up
    assert {sum(value != ANY for value in fault.values) for fault in faults} == {0, 1, 2}
