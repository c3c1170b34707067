"""How many people are woken: the model that ships, on a small audience, one fault at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch.core.deliveries import Action
from playwatch.core.rules import Anomaly, Rule, Severity
from tests.stage import FAILURES, START, Stage

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident

GROUPINGS = ((), ("country",), ("cdn",), ("country", "cdn"))
WARM_UP = 240

Fault = tuple[dict[str, str], float]
"""Where failures are more, and how many times as many."""
FASTLY: Fault = ({"cdn": "fastly"}, 15.0)
SWEDEN: Fault = ({"country": "SE"}, 30.0)


class Audience(Stage):
    """Three countries on three CDNs report each minute what chance brings.

    The smallest groups need an hour for what the largest see in a minute.
    """

    def __init__(
        self, seed: int, small: int = 1, groupings: tuple[tuple[str, ...], ...] = GROUPINGS
    ) -> None:
        condition = Anomaly(3.0, groupings, Severity.CRITICAL, 20.0)
        super().__init__(Rule("failures", FAILURES, condition, flap_within_s=300.0))
        self.views = {"DE": 90, "SE": 25, **{f"C{number}": 4 for number in range(small)}}
        self.dice = np.random.default_rng(seed)
        self.at = START // 60_000 * 60_000 + 59_000
        self.go_on(WARM_UP)
        assert not self.pages()

    def go_on(self, minutes: int, *faults: Fault) -> None:
        """Let minutes pass, with many times the failures where something is wrong."""
        for _ in range(minutes):
            samples = []
            for country, views in self.views.items():
                for cdn in ("akamai", "fastly", "cloudfront"):
                    where = {"country": country, "cdn": cdn}
                    hit = [times for bad, times in faults if bad.items() <= where.items()]
                    seen = int(self.dice.poisson(views))
                    failed = int(self.dice.binomial(seen, min(0.9, math.prod([0.015, *hit]))))
                    value = 100 * failed / max(seen, 1)
                    samples.append((FAILURES, where, self.at, value, seen))
            self.send_batch(samples)
            self.wait(1)
            self.sleep(10)
            self.tick()
            self.sleep(49)

    def heads(self) -> list[Incident]:
        return [one.incident for one in self.pages()]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("bad", [{}, {"cdn": "fastly"}, {"country": "SE"}])
def test_one_fault_is_one_page_and_one_resolve(bad: dict[str, str], seed: int) -> None:
    audience = Audience(seed)
    audience.go_on(40, (bad, 20.0))
    audience.go_on(120)

    assert [dict(one.breakdowns) for one in audience.heads()] != []
    assert len(audience.pages()) == 1
    assert len(audience.pages(Action.RESOLVE)) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_second_fault_within_a_first_one_is_a_second_page(seed: int) -> None:
    audience = Audience(seed)
    audience.go_on(20, FASTLY)
    (first,) = audience.heads()
    audience.go_on(30, FASTLY, SWEDEN)
    audience.go_on(60)

    assert [cause.breakdowns for cause in first.causes] == [(("cdn", "fastly"),)]
    assert [one.breakdowns for one in audience.heads() if one.id != first.id] == [
        (("country", "SE"),)
    ]
    assert len(audience.pages(Action.RESOLVE)) == 2


@pytest.mark.parametrize("seed", [2, 3])
def test_two_faults_that_begin_together_are_two_pages_with_a_cause_each(seed: int) -> None:
    audience = Audience(seed)
    audience.go_on(30, FASTLY, SWEDEN)
    audience.go_on(60)

    named = [
        {*one.breakdowns, *(pair for cause in one.causes for pair in cause.breakdowns)}
        for one in audience.heads()
    ]
    assert len(named) == 2
    assert {("country", "SE")} in named
    assert any(("cdn", "fastly") in one for one in named)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fault_that_widens_stays_one_page(seed: int) -> None:
    audience = Audience(seed)
    audience.go_on(10, ({"country": "DE", "cdn": "fastly"}, 15.0))
    audience.go_on(30, FASTLY)
    audience.go_on(60)

    assert len(audience.pages()) == 1


def test_a_long_fault_is_one_page_however_many_small_groups_it_hit() -> None:
    audience = Audience(4, small=30)
    audience.go_on(150, ({}, 5.0))
    audience.go_on(150)

    assert len(audience.pages()) == 1


@pytest.mark.parametrize("seed", [3, 5])
def test_groups_that_waited_beside_an_incident_do_not_open_when_all_is_well(seed: int) -> None:
    audience = Audience(seed, small=40, groupings=GROUPINGS[1:])
    audience.go_on(80, ({"cdn": "fastly"}, 12.0))
    audience.go_on(40)

    assert [one.breakdowns for one in audience.heads()] == [(("cdn", "fastly"),)]


def test_the_views_hit_are_those_beyond_normal_however_long_it_lasts() -> None:
    audience = Audience(1)
    audience.go_on(30, ({"cdn": "fastly"}, 10.0))
    audience.go_on(60)

    (end,) = audience.pages(Action.RESOLVE)
    expected = 30 * sum(audience.views.values()) * 0.015 * 9
    assert end.incident.affected_views == pytest.approx(expected, rel=0.25)
