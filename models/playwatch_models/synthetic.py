"""A simulated audience: views and failures of a fleet, with faults that are known.

Made to judge detectors, so the noise is not the noise that a detector assumes.
Failures scatter by three mechanisms at once, in shares that differ from one
property to the next:

* **beta-binomial**: each interval of each leaf draws its own rate;
* **bursts**: failures come in sessions that fail several times;
* **regimes**: every few hours the rate of a whole property steps up or down a bit.

Rates and audiences follow the day and the week. Not everything that stands out
is a fault: premieres multiply the audience, publishers restart (an interval is
missing and the next one has both), releases leave a small lasting step.

All randomness comes from the generator that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["ANY", "Audience", "Block", "Fault", "Property", "Surge", "blocks", "draw", "simulate"]

DAY_S: Final = 86400.0
ANY: Final = -1
BLOCK: Final = 60
"""Intervals that are drawn at once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Failures that have a cause.

    Attributes
    ----------
    starts, ends
        First interval, and the first one after it.
    values
        Code of each dimension's value, -1 where all are hit.
    times
        What the failure rate is multiplied by.
    """

    starts: int
    ends: int
    values: tuple[int, ...]
    times: float


@dataclass(frozen=True, slots=True)
class Surge:
    """A premiere: more viewers, no more failures among them.

    Attributes
    ----------
    starts, ends
        First interval, and the first one after it.
    times
        What the audience is multiplied by at its height.
    """

    starts: int
    ends: int
    times: float


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """One customer's audience over a lattice of dimensions.

    Attributes
    ----------
    sizes
        How many values each dimension has.
    views
        Mean views an interval of each leaf, shape ``(leaves,)``.
    rate
        Mean failure rate of each leaf, fraction of views.
    curve
        Relative audience and rate over the week, shape ``(2, intervals)``.
    scatter, burst, regime
        Strength of the three noises: intraclass correlation, failures a failing
        session, relative size of a step of the rate.
    release
        Interval from which the rate is a little higher for good, and by what factor.
    restarts
        Intervals that are missing because the publisher restarted.
    faults, surges
        What happens.
    """

    sizes: tuple[int, ...]
    views: NDArray[np.float64]
    rate: NDArray[np.float64]
    curve: NDArray[np.float64]
    scatter: float
    burst: float
    regime: float
    release: tuple[int, float]
    restarts: tuple[int, ...]
    faults: tuple[Fault, ...]
    surges: tuple[Surge, ...]

    @property
    def values(self) -> NDArray[np.int64]:
        """Code of each leaf's value in each dimension, shape ``(leaves, dimensions)``."""
        grid = np.indices(self.sizes).reshape(len(self.sizes), -1)
        values: NDArray[np.int64] = np.ascontiguousarray(grid.T)
        return values


@dataclass(frozen=True, slots=True)
class Audience:
    """How much of what there is.

    Attributes
    ----------
    sizes
        Values of each dimension.
    step_s
        Length of an interval, seconds.
    intervals
        How many.
    warm_up
        Intervals without faults at the start.
    faults
        Expected faults a property.
    mean_views
        Median over properties of the views an interval of the whole property.
    """

    sizes: tuple[int, ...] = (4, 12, 8)
    step_s: float = 60.0
    intervals: int = 7 * 1440
    warm_up: int = 2 * 1440
    faults: float = 2.0
    mean_views: float = 800.0


def draw(audience: Audience, rng: np.random.Generator) -> Property:
    """Draw one property: its size, its habits, its noise and what befalls it."""
    shares = np.ones(1)
    for size in audience.sizes:
        part = rng.dirichlet(np.full(size, 0.8)) + 0.02 / size
        shares = np.outer(shares, part / part.sum()).reshape(-1)
    views = audience.mean_views * rng.lognormal(0, 1.0) * shares
    base = np.clip(rng.lognormal(np.log(0.012), 0.7), 0.002, 0.08)
    rate = np.clip(base * rng.lognormal(0, 0.25, len(views)), 1e-3, 0.2)
    first, last = audience.warm_up, audience.intervals
    return Property(
        sizes=audience.sizes,
        views=views,
        rate=rate,
        curve=_curve(audience, rng),
        scatter=float(rng.choice([0.0, 3e-4, 1.5e-3])),
        burst=float(rng.choice([1.0, 1.0, 1.5])),
        regime=float(rng.choice([0.0, 0.05, 0.1])),
        release=(int(rng.integers(first, last)), float(rng.uniform(1.0, 1.2))),
        restarts=tuple(int(at) for at in rng.integers(first, last, rng.poisson(3))),
        faults=tuple(_fault(audience, rng) for _ in range(rng.poisson(audience.faults))),
        surges=tuple(_surge(audience, rng) for _ in range(rng.poisson(1.5))),
    )


def simulate(
    one: Property, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]] | None]:
    """Play a property, interval by interval.

    Yields
    ------
    tuple or None
        Views and failures of each leaf, shape ``(leaves,)``; None for an interval
        that the publisher missed, whose views come with the next one's.
    """
    for block in blocks(one, rng):
        for views, failures, missed in zip(*block, strict=True):
            yield None if missed else (views, failures)


class Block(NamedTuple):
    """Some intervals of a property, one after the other.

    Attributes
    ----------
    views, failures
        Of each leaf, shape ``(intervals, leaves)``; 0 in an interval that was missed.
    is_missed
        Intervals that the publisher missed; what they had comes with the next.
    """

    views: NDArray[np.float64]
    failures: NDArray[np.float64]
    is_missed: NDArray[np.bool_]


def blocks(one: Property, rng: np.random.Generator) -> Iterator[Block]:
    """Play a property, many intervals at a time: what `simulate` tells one by one."""
    intervals = one.curve.shape[1]
    regime = _regimes(one, intervals, rng)
    late = np.zeros((2, len(one.views)))
    for start in range(0, intervals, BLOCK):
        at = np.arange(start, min(start + BLOCK, intervals))
        audience, rate = one.curve[:, at]
        views = rng.poisson((audience * _surge_at(one, at))[:, None] * one.views)
        level = rate * regime[at] * np.where(at >= one.release[0], one.release[1], 1.0)
        rates = level[:, None] * one.rate * _fault_at(one, at)
        counts = np.stack([views, _failures(one, views, rates, rng)]).astype(np.float64)
        counts[:, 0] += late
        is_missed = np.isin(at, one.restarts)
        for row in np.flatnonzero(is_missed).tolist():
            if row + 1 < len(at):
                counts[:, row + 1] += counts[:, row]
        late = counts[:, -1] * is_missed[-1]
        counts[:, is_missed] = 0
        yield Block(counts[0], counts[1], is_missed)


def _regimes(one: Property, intervals: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return by how much the rate of the whole property is off in each interval."""
    level = np.ones(intervals)
    until = 0
    while one.regime and until < intervals:
        lasts = int(rng.integers(60, 480))
        level[until : until + lasts] = rng.lognormal(0, one.regime)
        until += lasts
    return level


def _failures(
    one: Property,
    views: NDArray[np.int64],
    rate: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    rate = np.minimum(rate, 0.97)
    if one.scatter > 0:
        shape = rate * (1 / one.scatter - 1)
        rate = np.clip(rate * rng.standard_gamma(shape) / shape, 0, 0.99)
    if one.burst <= 1:
        plain: NDArray[np.int64] = rng.binomial(views, rate)
        return plain
    sessions = rng.binomial(views, rate / one.burst)
    repeated = sessions + rng.poisson((one.burst - 1) * sessions)
    bounded: NDArray[np.int64] = np.minimum(repeated, views)
    return bounded


def _curve(audience: Audience, rng: np.random.Generator) -> NDArray[np.float64]:
    day = 2 * np.pi * np.arange(audience.intervals) * audience.step_s / DAY_S
    peak, second = rng.uniform(0, 2 * np.pi, 2)
    shape = 1 + rng.uniform(0.3, 0.7) * np.cos(day - peak) + 0.15 * np.cos(2 * day - second)
    weekend = (day / (2 * np.pi)).astype(int) % 7 >= 5  # noqa: PLR2004  # Saturday is day 5
    shape = shape * np.where(weekend, rng.uniform(0.8, 1.5), 1.0)
    rate = 1 + rng.uniform(0, 0.4) * np.cos(day - peak + rng.normal(0, 1))
    return np.array([np.maximum(shape, 0.05), rate])


def _fault(audience: Audience, rng: np.random.Generator) -> Fault:
    depth = int(rng.choice([0, 1, 2], p=[0.2, 0.45, 0.35]))
    values = [ANY] * len(audience.sizes)
    for dimension in rng.choice(len(audience.sizes), depth, replace=False):
        values[dimension] = int(rng.integers(audience.sizes[dimension]))
    starts = int(rng.integers(audience.warm_up, audience.intervals - 30))
    minutes = float(np.exp(rng.uniform(np.log(8), np.log(180))))
    lasts = max(3, round(minutes * 60 / audience.step_s))
    return Fault(starts, starts + lasts, tuple(values), float(np.exp(rng.uniform(0.9, 3.5))))


def _surge(audience: Audience, rng: np.random.Generator) -> Surge:
    starts = int(rng.integers(0, audience.intervals))
    lasts = round(rng.uniform(3600, 4 * 3600) / audience.step_s)
    return Surge(starts, starts + lasts, float(rng.uniform(3, 12)))


def _surge_at(one: Property, at: NDArray[np.int64]) -> NDArray[np.float64]:
    times = np.ones(len(at))
    for surge in one.surges:
        through = (at - surge.starts) / (surge.ends - surge.starts)
        is_on = (through >= 0) & (through < 1)
        times *= np.where(is_on, 1 + (surge.times - 1) * np.sin(np.pi * through), 1.0)
    return times


def _fault_at(one: Property, at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what the rate of each leaf is multiplied by, shape ``(at, leaves)``."""
    times = np.ones((len(at), len(one.views)))
    for fault in one.faults:
        is_on = (at >= fault.starts) & (at < fault.ends)
        if is_on.any():
            wanted = np.array(fault.values)
            is_hit = ((one.values == wanted) | (wanted == ANY)).all(axis=1)
            times[np.ix_(is_on, is_hit)] *= fault.times
    return times
