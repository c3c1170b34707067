"""How many pages a fleet of ratio series costs, and how many of them were real.

    python benchmarks/fleet.py [--properties 49] [--weeks 4] [--pages 3] [--seed 1]

A simulated audience (`playwatch_models.synthetic`): each property has 384 leaf
series over three dimensions (4 x 12 x 8), and the groups that an engine would
watch on top of them: overall and per value of each dimension. All of them go
through the shipped ratio detector, one decider with one budget for the fleet,
and the naming of causes. The noise of the audience is not the detector's model.

A page is real if a fault of its property was on, and the cause that it names
shares views with it. A cause is right if it is the fault's, value by value; it
is as good as right if the two hold 90 % of the same expected failures.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from machine import described, keep

from playwatch_models.calibration import WEEK_S, Budget
from playwatch_models.causes import ANY, Cause, Leaves, causes
from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.decision import Calls, Decider
from playwatch_models.detector import Findings, Intervals
from playwatch_models.evidence import RatioDetector
from playwatch_models.registry import WORTH
from playwatch_models.synthetic import Audience, Fault, Property, blocks, draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STEP_S = 60.0
DAY = 1440
START = 1_767_571_200_000
LOOK_BACK = 30
"""Intervals that a cause is sought in, at most."""
PATIENCE = 15
"""Intervals after a fault in which a page about it is still real."""
MIN_AFFECTED = 12.0
AS_GOOD = 0.9


@dataclass(slots=True, eq=False)
class Page:
    """One page: when, where, what it named, and what it was about."""

    at: int
    place: int
    cause: Cause
    is_hit: NDArray[np.bool_]
    fault: Fault | None = None
    is_right: bool = False
    is_as_good: bool = False
    affected: float = 0.0
    is_open: bool = True


@dataclass(slots=True, eq=False)
class Fleet:
    """Some properties, the groups watched of each, and the recent past of their leaves."""

    properties: list[Property]
    values: NDArray[np.int64]
    views: NDArray[np.float64] = field(init=False)
    observed: NDArray[np.float64] = field(init=False)
    expected: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Make room for the past."""
        leaves = len(self.properties[0].views)
        self.views = np.zeros((len(self.properties), leaves))
        self.observed = np.zeros((LOOK_BACK, len(self.properties), leaves))
        self.expected = np.zeros((LOOK_BACK, len(self.properties), leaves))

    @property
    def per_property(self) -> int:
        """How many groups a property has."""
        return len(self.values)


def watched(sizes: tuple[int, ...]) -> NDArray[np.int64]:
    """List the groups of a property: overall, per value of a dimension, and the leaves."""
    nodes = [(ANY,) * len(sizes)]
    for dimension, size in enumerate(sizes):
        for value in range(size):
            node = [ANY] * len(sizes)
            node[dimension] = value
            nodes.append(tuple(node))
    leaves = np.indices(sizes).reshape(len(sizes), -1).T
    return np.concatenate([np.array(nodes), leaves])


def rolled_up(leaves: NDArray[np.float64], sizes: tuple[int, ...]) -> NDArray[np.float64]:
    """Sum leaf counts, shape ``(intervals, leaves)``, into the groups that `watched` lists."""
    cube = leaves.reshape(-1, *sizes)
    axes = range(1, cube.ndim)
    sums = [cube.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes]
    return np.concatenate([cube.sum(axis=tuple(axes))[:, None], *sums, leaves], axis=1)


def played(fleet: Fleet, audience: Audience, seed: int) -> Iterator[tuple[int, Intervals]]:
    """Play all properties side by side; a missed interval leaves its groups out."""
    streams = [
        blocks(one, np.random.default_rng([seed, 1, place]))
        for place, one in enumerate(fleet.properties)
    ]
    every = np.arange(len(streams) * fleet.per_property, dtype=np.int32)
    rows = every.reshape(len(streams), -1)
    leaves = fleet.views.shape[1]
    at = 0
    for side_by_side in zip(*streams, strict=True):
        views = np.stack([rolled_up(one.views, audience.sizes) for one in side_by_side])
        failures = np.stack([rolled_up(one.failures, audience.sizes) for one in side_by_side])
        spoke = np.stack([~one.is_missed for one in side_by_side])
        for row in range(spoke.shape[1]):
            fleet.views = views[:, row, -leaves:]
            fleet.observed[at % LOOK_BACK] = failures[:, row, -leaves:]
            here = spoke[:, row]
            group, seen = rows[here].reshape(-1), views[here, row].reshape(-1)
            ends_at = np.full(len(group), START + (at + 1) * int(STEP_S * 1000))
            share = 100 * failures[here, row].reshape(-1) / np.maximum(seen, 1)
            yield at, Intervals(group=group, at=ends_at, value=share, views=seen)
            at += 1


def remember(fleet: Fleet, at: int, findings: Findings) -> None:
    """Keep what was expected of each leaf."""
    share = np.zeros(len(fleet.properties) * fleet.per_property)
    share[findings.group] = np.nan_to_num(findings.expected) / 100
    leaves = share.reshape(len(fleet.properties), -1)[:, -fleet.views.shape[1] :]
    fleet.expected[at % LOOK_BACK] = leaves * fleet.views


def sought(fleet: Fleet, place: int, at: int, since: int) -> Leaves:
    """Return a property's leaves summed over the deviation so far."""
    lasted = int(np.clip(at - since + 1, 1, LOOK_BACK))
    rows = [(at - back) % LOOK_BACK for back in range(lasted)]
    return Leaves(
        fleet.properties[place].values,
        fleet.observed[rows, place].sum(axis=0),
        fleet.expected[rows, place].sum(axis=0),
    )


def named(fleet: Fleet, place: int, at: int, calls: Calls, opened: NDArray[np.intp]) -> list[Cause]:
    """Name the causes of a property's newly opened groups."""
    since = int((calls.since_at[opened].min() - START) // int(STEP_S * 1000))
    found = causes(sought(fleet, place, at, since))
    values = fleet.values[calls.group[opened] % fleet.per_property]
    told = [cause for cause in found if cause.meets(values).any()]
    if told:
        return told
    best = opened[int(np.argmax(calls.rarity[opened]))]
    node = fleet.values[calls.group[best] % fleet.per_property]
    return [Cause(tuple(int(v) for v in node), float(calls.affected[best]), 1.0, 0.0)]


def page(
    fleet: Fleet, book: list[Page], at: int, calls: Calls, newly: NDArray[np.intp]
) -> list[Page]:
    """Open incidents for causes that no open incident of the property is about."""
    pages = []
    places = calls.group[newly] // fleet.per_property
    for place in np.unique(places).tolist():
        values = fleet.properties[place].values
        busy = np.zeros(len(values), bool)
        for one in book:
            if one.is_open and one.place == place:
                busy |= one.is_hit
        for cause in named(fleet, place, at, calls, newly[places == place]):
            is_hit = cause.holds(values)
            if not (busy & is_hit).any():
                pages.append(Page(at, place, cause, is_hit))
                busy |= is_hit
    return pages


def judge(fleet: Fleet, one: Page) -> None:
    """Find the fault that a page is about, and whether it named its cause."""
    values = fleet.properties[one.place].values
    weight = fleet.properties[one.place].views * fleet.properties[one.place].rate
    for fault in fleet.properties[one.place].faults:
        wanted = np.array(fault.values)
        is_faulty = ((values == wanted) | (wanted == ANY)).all(axis=1)
        both = weight[is_faulty & one.is_hit].sum()
        is_on = fault.starts <= one.at < fault.ends + PATIENCE
        if not is_on or both == 0 or one.is_right:
            continue
        one.fault = fault
        one.is_right = one.cause.values == fault.values
        one.is_as_good = both >= AS_GOOD * weight[is_faulty | one.is_hit].sum()


def close(fleet: Fleet, book: list[Page], at: int, decider: Decider) -> None:
    """Count what open incidents cost, and end those whose groups are all calm."""
    size = fleet.per_property
    for one in book:
        if not one.is_open:
            continue
        now = at % LOOK_BACK
        extra = fleet.observed[now, one.place] - fleet.expected[now, one.place]
        one.affected += float(extra[one.is_hit].sum())
        related = np.flatnonzero(one.cause.meets(fleet.values)) + one.place * size
        one.is_open = bool(decider.is_open(related.astype(np.int32)).any())


def run(
    fleet: Fleet, audience: Audience, budget: Budget, seed: int
) -> Iterator[tuple[int, list[Page], float]]:
    """Watch the fleet; tell its pages so far and the CPU seconds of detector and decider."""
    groups = len(fleet.properties) * fleet.per_property
    size = fleet.per_property
    parents = np.repeat(np.arange(len(fleet.properties)) * size, size).astype(np.int32)
    parents[::size] = -1
    detector = RatioDetector(Watch(MetricClass.RATIO, STEP_S, Direction.UP))
    decider = Decider(budget, STEP_S, min_affected=MIN_AFFECTED, worth=WORTH[MetricClass.RATIO])
    detector.resize(groups, parents)
    decider.resize(groups)
    book: list[Page] = []
    spent = 0.0
    for at, intervals in played(fleet, audience, seed):
        began = time.process_time()
        was_open = decider.is_open(intervals.group)
        findings = detector.step(intervals, was_open)
        beyond = np.nan_to_num(intervals.value - findings.expected) / 100 * intervals.views
        calls = decider.decide(findings, beyond)
        spent += time.process_time() - began
        remember(fleet, at, findings)
        newly = np.flatnonzero(decider.is_open(intervals.group) & ~was_open)
        if len(newly):
            pages = page(fleet, book, at, calls, newly)
            for one in pages:
                judge(fleet, one)
            book += pages
            decider.spend(len(pages))
        close(fleet, book, at, decider)
        yield at + 1, book, spent


def costs(one: Property, fault: Fault) -> float:
    """Return the extra failed views that a fault brings."""
    wanted = np.array(fault.values)
    is_hit = ((one.values == wanted) | (wanted == ANY)).all(axis=1)
    due = float((one.views * one.rate)[is_hit].sum())
    curve = one.curve[:, fault.starts : fault.ends].prod(axis=0).sum()
    return float(due * curve * (fault.times - 1))


def summed_up(
    fleet: Fleet, audience: Audience, budget: Budget, until: int, book: list[Page]
) -> dict[str, Any]:
    """Put the run so far into the figures that were asked for."""
    weeks = (until - audience.warm_up) * STEP_S / WEEK_S
    counted = [one for one in book if one.at >= audience.warm_up]
    real = [one for one in counted if one.fault is not None]
    faults = [
        (place, fault)
        for place, one in enumerate(fleet.properties)
        for fault in one.faults
        if fault.ends <= until
    ]
    large = {
        (place, fault)
        for place, fault in faults
        if costs(fleet.properties[place], fault) >= MIN_AFFECTED
    }
    first = {}
    for one in reversed(real):
        if one.fault is not None:
            first[one.place, one.fault] = one
    delays = [one.at - fault.starts + 1 for (_, fault), one in first.items()]
    views = [
        (one.at - fault.starts + 1) * float(fleet.properties[place].views[one.is_hit].sum())
        for (place, fault), one in first.items()
    ]
    false = len(counted) - len(real)
    hit = [one.affected for one in real]
    return {
        "series": len(fleet.properties) * fleet.per_property,
        "weeks": round(weeks, 2),
        "budget_pages_per_week": round(budget.pages * WEEK_S / budget.per_s, 3),
        "pages": len(counted),
        "pages_per_week": round(len(counted) / weeks, 2),
        "false_pages": false,
        "false_pages_per_week": round(false / weeks, 2),
        "share_real": round(len(real) / max(len(counted), 1), 3),
        "faults": len(faults),
        "faults_of_at_least_12_views": len(large),
        "incidents_found": len(large & first.keys()),
        "share_found": round(len(large & first.keys()) / max(len(large), 1), 3),
        "second_pages_for_one_fault": len(real) - len(first),
        "causes_right": round(sum(one.is_right for one in first.values()) / max(len(first), 1), 3),
        "causes_as_good_as_right": round(
            sum(one.is_right or one.is_as_good for one in first.values()) / max(len(first), 1), 3
        ),
        "median_delay_minutes": float(np.median(delays)) if delays else None,
        "median_delay_views": round(float(np.median(views))) if views else None,
        "median_viewers_hit_per_page": round(float(np.median(hit))) if hit else None,
    }


def described_page(fleet: Fleet, one: Page) -> str:
    """Say what was going on where a page was false, or its cause another."""
    habits = fleet.properties[one.place]
    around = [fault for fault in habits.faults if abs(fault.starts - one.at) < DAY]
    surge = any(surge.starts <= one.at < surge.ends for surge in habits.surges)
    noise = (habits.scatter, habits.burst, habits.regime)
    return f"{one.at} {one.cause} {noise} {surge=} {one.affected:.0f} views; {around}"


def main() -> None:
    """Simulate, watch, print and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--properties", type=int, default=49)
    parser.add_argument("--weeks", type=float, default=4.0)
    parser.add_argument("--pages", type=float, default=3.0, help="budget, false pages a week")
    parser.add_argument("--faults", type=float, default=1.0, help="a property and week")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="fleet")
    asked = parser.parse_args()
    audience = Audience(intervals=round(asked.weeks * 7 * DAY), faults=asked.faults * asked.weeks)
    rng = np.random.default_rng([asked.seed, 0])
    fleet = Fleet([draw(audience, rng) for _ in range(asked.properties)], watched(audience.sizes))
    steps = 0
    for until, book, spent in run(fleet, audience, Budget(asked.pages), asked.seed):
        steps += len(fleet.properties) * fleet.per_property
        if until % DAY or until <= audience.warm_up:
            continue
        result = summed_up(fleet, audience, Budget(asked.pages), until, book)
        result["cpu_us_a_step_detector_and_decider"] = round(1e6 * spent / steps, 3)
        print(f"after day {until // DAY}:")
        for name, value in result.items():
            print(f"  {name:36} {value}", flush=True)
        keep(asked.name, {"parameters": vars(asked), "machine": described(), "result": result})
        for one in book:
            if one.at >= max(audience.warm_up, until - DAY) and not one.is_right:
                print("  false" if one.fault is None else "  misnamed", described_page(fleet, one))


if __name__ == "__main__":
    main()
