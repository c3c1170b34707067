"""Small samples: what chance explains pages nobody."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from playwatch.core.confidence import is_sure, log_tail
from playwatch.core.rules import Comparison
from tests import naive
from tests.stage import Stage, a_rule


def sure(hits: int, of: int, *, trigger: str = ">", limit: float = 5, level: float = 0.95) -> bool:
    found = is_sure(
        Comparison(trigger), limit, level, np.array([100.0 * hits]), np.array([of], np.int64)
    )
    return bool(found[0])


def test_one_failure_of_three_views_is_chance_and_65_of_1000_are_not() -> None:
    assert not sure(1, 3)
    assert sure(65, 1000)
    assert not sure(55, 1000)


def test_a_rule_pages_only_when_chance_is_ruled_out() -> None:
    stage = Stage(a_rule("> 5", confidence=0.95))

    assert stage.send(100 / 3, views=3) == []
    assert stage.send(6.5, views=1000) == ["opened"]
    # 4.6 % over 2003 views: back below the bound, whatever chance has to do with it.
    assert stage.send(2.5, views=1000) == ["resolved"]


def test_a_downward_rule_asks_the_same_of_the_views_that_were_not_hit() -> None:
    assert not sure(2, 3, trigger="<", limit=95)
    assert sure(930, 1000, trigger="<", limit=95)


def test_a_tie_is_no_breach_of_above_and_one_of_at_least() -> None:
    """One of one at 5 %: the bound of the interval is 5 % exactly."""
    assert not sure(1, 1, trigger=">")
    assert sure(1, 1, trigger=">=")


@pytest.mark.parametrize(
    ("hits", "limit", "expected"), [(0, 0, False), (1, 0, True), (0, 5, False), (7, 5, True)]
)
def test_the_ends_of_the_range_are_no_special_case(
    hits: int,
    limit: float,
    expected: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    assert sure(hits, 7, limit=limit) is expected


def test_no_views_are_no_evidence() -> None:
    assert not sure(0, 0)


@pytest.mark.parametrize("comparison", list(Comparison))
def test_every_decision_of_a_few_views_is_the_exact_one(comparison: Comparison) -> None:
    for of in (1, 2, 3, 10, 25):
        hits = np.arange(of + 1)
        for limit in (0.3, 5.0, 50.0, 95.0):
            found = is_sure(
                comparison, limit, 0.95, 100.0 * hits.astype(float), np.full(of + 1, of)
            )
            expected = [naive.is_sure(comparison, limit, 0.95, int(k), of) for k in hits]
            assert found.tolist() == expected


def test_the_tail_is_exact_to_eleven_digits() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    for _ in range(60):
        of, share = dice.randint(1, 400), dice.choice([0.003, 0.05, 0.4, 0.95])
        hits = dice.randint(min(of, int(of * share) + 1), of)
        if hits <= of * share:
            continue
        exact = naive.chance(hits, of, Fraction(share))
        expected = math.log(exact.numerator) - math.log(exact.denominator)
        found = log_tail(np.array([float(hits)]), np.array([float(of)]), share)[0]
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("of", [10**4, 10**6, 10**9])
def test_many_views_are_judged_like_the_normal_curve_says(of: int) -> None:
    """The smallest sure count lies where the curve has it, to a hundredth of its width."""
    spread = math.sqrt(of * 0.05 * 0.95)
    counts = np.round(of * 0.05 + np.linspace(1.5, 1.8, 301) * spread)
    found = is_sure(Comparison.ABOVE, 5.0, 0.95, counts * 100, np.full(301, of))
    first = counts[int(np.argmax(found))]

    assert found.any()
    assert np.all(np.diff(found.astype(int)) >= 0)
    # A half for the step of a count, and the skew of the distribution.
    skew = 0.9 / 6 * (1.645**2 - 1)
    assert first - of * 0.05 == pytest.approx(1.645 * spread + 0.5 + skew, abs=0.01 * spread + 1)


def test_percentages_that_arrive_rounded_count_whole_views() -> None:
    """33.3 % of 3 views is one failure, not 0.999."""
    assert sure(1, 1, limit=0.1) == bool(
        is_sure(Comparison.ABOVE, 0.1, 0.95, np.array([99.9]), np.array([1]))[0]
    )
