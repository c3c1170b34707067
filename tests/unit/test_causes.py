"""Which node of the lattice explains extra failures."""

from __future__ import annotations

import numpy as np
import pytest

from playwatch_models.causes import ANY, Leaves, causes, lattice

SIZES = (4, 10, 6)  # cdn, country, device


def audience(seed: int = 1, views: float = 400.0) -> Leaves:
    rng = np.random.default_rng(seed)
    values = np.indices(SIZES).reshape(3, -1).T
    expected = views * rng.lognormal(0, 1, len(values)) * 0.02
    return Leaves(values, rng.poisson(expected).astype(float), expected)


def broken(times: float, *, seed: int = 1, **where: int) -> Leaves:
    leaves = audience(seed)
    names = ("cdn", "country", "device")
    is_hit = np.ones(len(leaves.values), bool)
    for name, value in where.items():
        is_hit &= leaves.values[:, names.index(name)] == value
    rng = np.random.default_rng(seed + 100)
    observed = rng.poisson(leaves.expected * np.where(is_hit, times, 1.0)).astype(float)
    return Leaves(leaves.values, observed, leaves.expected)


def test_nothing_is_a_cause_of_chance() -> None:
    assert [causes(audience(seed)) for seed in range(20)] == [[]] * 20


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("where", "values"),
    [
        ({}, (ANY, ANY, ANY)),
        ({"cdn": 2}, (2, ANY, ANY)),
        ({"country": 3}, (ANY, 3, ANY)),
        ({"cdn": 1, "country": 4}, (1, 4, ANY)),
        ({"cdn": 1, "device": 5}, (1, ANY, 5)),
    ],
)
def test_the_cause_is_the_widest_node_that_explains_it(
    where: dict[str, int], values: tuple[int, ...], seed: int
) -> None:
    found = causes(broken(6.0, seed=seed, **where))

    assert found[0].values == values
    assert found[0].share > 0.6


def test_two_faults_are_two_causes() -> None:
    first, second = broken(8.0, cdn=0), broken(8.0, country=7)
    both = Leaves(first.values, np.maximum(first.observed, second.observed), first.expected)
    found = {cause.values for cause in causes(both)}

    assert found == {(0, ANY, ANY), (ANY, 7, ANY)}


def test_the_share_is_of_all_extra_failures() -> None:
    leaves = Leaves(
        np.array([[0], [1], [2]]), np.array([184.0, 34.0, 100.0]), np.array([101.0, 17.0, 100.0])
    )
    found = causes(leaves, spread=1e-4)

    assert found[0].values == (0,)
    assert found[0].share == pytest.approx(0.83)
    assert found[0].excess == pytest.approx(83)


def test_groups_inside_and_across_a_cause_are_related() -> None:
    cause = causes(broken(8.0, cdn=1, country=4))[0]
    nodes = np.array([[1, 4, 2], [1, ANY, ANY], [ANY, ANY, 3], [2, 4, ANY], [ANY, ANY, ANY]])

    assert list(cause.holds(nodes)) == [True, False, False, False, False]
    assert list(cause.meets(nodes)) == [True, True, True, False, True]


def test_a_lattice_adds_up_at_every_level() -> None:
    leaves = audience()
    nodes = lattice(leaves)
    depth = (nodes.values != ANY).sum(axis=1)

    assert len(nodes.values) == 5 * 11 * 7
    for dimensions, ways in enumerate((1, 3, 3, 1)):
        level = nodes.observed[depth == dimensions].sum()
        assert level == pytest.approx(ways * leaves.observed.sum())
