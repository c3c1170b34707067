"""How many pages a fleet of ratio series costs, and how many of them were real.

    python benchmarks/fleet.py [--properties 49] [--weeks 4.285714] [--pages 3] [--seed 1]

A simulated audience (`playwatch_models.synthetic`): each property has 384 leaf
series over three dimensions (4 x 12 x 8) that report once a minute. The engine
that ships watches them (`core.pipeline`, unpaced): samples in, pages out, by one
entry of `anomalies` that looks at each property, each value of its dimensions
and each of its series, within one budget. A page is a trigger that a channel
would be sent. The noise of the audience is not the detector's model.

A page is real if a fault of its property was on, and the cause that it names
shares views with it. A cause is right if it is the fault's, value by value; it
is as good as right if the two hold 90 % of the same expected failures.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from machine import described, keep

from playwatch.config.anomalies import AnomalySettings
from playwatch.core.deliveries import Action
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.routing import Route
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch_models.calibration import WEEK_S
from playwatch_models.synthetic import ANY, Audience, Fault, Property, blocks, draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from playwatch.core.incidents import Incident

METRIC = "playback_failure_percentage"
DIMENSIONS = ("country", "cdn", "device")
STEP_MS = 60_000
DAY = 1440
START = 1_767_571_200_000
REPORTED_MS = STEP_MS - 1_000
"""A minute is reported a second before its end."""
LOOKS_MS = (1_000, 11_000)
"""After a report: the next tick, and the one that closes the minute."""
PATIENCE = 15
"""Minutes after a fault in which a page about it is still real."""
LEAST_COST = 12.0
"""Extra failed views below which nobody has to find a fault."""
AS_GOOD = 0.9


@dataclass(slots=True, eq=False)
class Page:
    """One page: when, about which property, what it named, and what it was about."""

    incident: Incident
    place: int
    at: float
    named: tuple[int, ...]
    is_hit: NDArray[np.bool_]
    fault: Fault | None = None
    is_right: bool = False
    is_as_good: bool = False


class Fleet:
    """An engine without its shell, and the properties that report to it.

    Parameters
    ----------
    pages
        Budget, false pages a week.
    min_affected
        Extra failed views below which nothing opens; None for the default.
    """

    def __init__(
        self, properties: list[Property], pages: float, min_affected: int | None = None
    ) -> None:
        by = [["property"], *(["property", name] for name in DIMENSIONS), ["property", *DIMENSIONS]]
        entry = {"name": "fleet", "metric": METRIC, "by": by, "budget": f"{pages:g} per week"}
        gate = {} if min_affected is None else {"min_affected_views": min_affected}
        rule = AnomalySettings.model_validate({**entry, **gate}).core_rule()
        catalogue, self.series = Catalogue(), SeriesTable()
        number = catalogue.id_of(METRIC) or 0
        self.properties = properties
        self.pipeline = Pipeline(catalogue, self.series, [rule], [Route("oncall", "key")], "fleet")
        self.rows = np.array(
            [
                self.series.intern(number, canonical_dimensions(dimensions_of(place, values)))
                for place, one in enumerate(properties)
                for values in one.values.tolist()
            ],
            np.int32,
        )
        self.ended: dict[str, Incident] = {}

    def minute(
        self, at: int, views: NDArray[np.float64], failures: NDArray[np.float64]
    ) -> Iterator[Incident]:
        """Report a minute of all series; iterate over the incidents that somebody is paged for."""
        spoke = views > 0
        reported_at = START + at * STEP_MS + REPORTED_MS
        value = 100 * failures[spoke] / views[spoke]
        batch = SampleBatch.of(
            self.rows[spoke], np.full(len(value), reported_at), value, views[spoke]
        )
        # An engine's monotonic clock starts anywhere; this one with the first minute.
        now = Instant(reported_at, reported_at - START)
        looks = [Instant(now.at + later, now.monotonic_ms + later) for later in LOOKS_MS]
        for step in [self.pipeline.take(batch, now), *map(self.pipeline.tick, looks)]:
            self.ended.update({one.id: one for one in step.changes.incidents if not one.is_open})
            for delivery in step.changes.deliveries:
                if delivery.action is Action.TRIGGER:
                    yield delivery.incident


def dimensions_of(place: int, values: list[int]) -> dict[str, str]:
    """Return what a leaf of a property is called."""
    names = {name: f"{name}{value}" for name, value in zip(DIMENSIONS, values, strict=True)}
    return {"property": f"p{place}", **names}


def played(
    properties: list[Property], seed: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Play all properties side by side: views and failures of all series in each minute."""
    streams = [
        blocks(one, np.random.default_rng([seed, 1, place])) for place, one in enumerate(properties)
    ]
    for side_by_side in zip(*streams, strict=True):
        views = np.concatenate([one.views for one in side_by_side], axis=1)
        failures = np.concatenate([one.failures for one in side_by_side], axis=1)
        yield from zip(views, failures, strict=True)


def paged(fleet: Fleet, incident: Incident, at: int) -> Page:
    """Put a page into the terms of the simulation, and find the fault that it is about."""
    told = dict(incident.breakdowns)
    place = int(told.pop("property")[1:])
    for cause in incident.causes[:1]:
        told.update(cause.breakdowns)
    named = tuple(
        int(told[name].removeprefix(name)) if name in told else ANY for name in DIMENSIONS
    )
    habits = fleet.properties[place]
    seen_at = (incident.opened_at - START) / STEP_MS
    page = Page(incident, place, seen_at, named, held(habits, named))
    weight = habits.views * habits.rate
    for fault in habits.faults:
        is_faulty = held(habits, fault.values)
        both = weight[is_faulty & page.is_hit].sum()
        is_on = fault.starts <= at < fault.ends + PATIENCE
        if is_on and both > 0 and not page.is_right:
            page.fault = fault
            page.is_right = named == fault.values
            page.is_as_good = both >= AS_GOOD * weight[is_faulty | page.is_hit].sum()
    return page


def held(habits: Property, node: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which leaves of a property a node of its lattice holds."""
    wanted = np.array(node)
    inside: NDArray[np.bool_] = ((habits.values == wanted) | (wanted == ANY)).all(axis=1)
    return inside


def costs(habits: Property, fault: Fault) -> float:
    """Return the extra failed views that a fault brings."""
    due = float((habits.views * habits.rate)[held(habits, fault.values)].sum())
    curve = habits.curve[:, fault.starts : fault.ends].prod(axis=0).sum()
    return float(due * curve * (fault.times - 1))


def summed_up(
    fleet: Fleet, warm_up: int, asked: float, until: int, book: list[Page]
) -> dict[str, Any]:
    """Put the run so far into the figures that were asked for."""
    weeks = (until - warm_up) * STEP_MS / 1000 / WEEK_S
    counted = [one for one in book if one.at >= warm_up]
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
        if costs(fleet.properties[place], fault) >= LEAST_COST
    }
    first: dict[tuple[int, Fault], Page] = {}
    for one in reversed(real):
        if one.fault is not None:
            first[one.place, one.fault] = one
    delays = [one.at - fault.starts for (_, fault), one in first.items()]
    views = [
        delay * float(fleet.properties[place].views[one.is_hit].sum())
        for delay, ((place, _), one) in zip(delays, first.items(), strict=True)
    ]
    over = [fleet.ended.get(one.incident.id, one.incident) for one in real]
    hit = [max(one.affected_views, one.affected_viewers) for one in over]
    false = len(counted) - len(real)
    return {
        "series": len(fleet.pipeline.watches[0].groups),
        "weeks": round(weeks, 2),
        "budget_pages_per_week": asked,
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
        "median_delay_minutes": round(float(np.median(delays)), 1) if delays else None,
        "median_delay_views": round(float(np.median(views))) if views else None,
        "median_viewers_hit_per_page": round(float(np.median(hit))) if hit else None,
    }


def described_page(fleet: Fleet, one: Page) -> str:
    """Say what was going on where a page was false, a second one, or its cause another."""
    habits = fleet.properties[one.place]
    around = [fault for fault in habits.faults if abs(fault.starts - one.at) < DAY]
    surge = any(surge.starts <= one.at < surge.ends for surge in habits.surges)
    noise = (habits.scatter, habits.burst, habits.regime)
    return f"{one.at:.1f} {one.named} {noise} {surge=} {one.incident.summary}; {around}"


def main() -> None:
    """Simulate, watch, print and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--properties", type=int, default=49)
    parser.add_argument(
        "--weeks", type=float, default=30 / 7, help="the first two days are learned"
    )
    parser.add_argument("--pages", type=float, default=3.0, help="budget, false pages a week")
    parser.add_argument("--faults", type=float, default=1.0, help="a property and week")
    parser.add_argument("--affected", type=int, default=None, help="the gate, extra failed views")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="fleet")
    asked = parser.parse_args()
    audience = Audience(intervals=round(asked.weeks * 7 * DAY), faults=asked.faults * asked.weeks)
    rng = np.random.default_rng([asked.seed, 0])
    properties = [draw(audience, rng) for _ in range(asked.properties)]
    fleet = Fleet(properties, asked.pages, asked.affected)
    book: list[Page] = []
    samples, spent = 0, 0.0
    for at, (views, failures) in enumerate(played(properties, asked.seed)):
        began = time.process_time()
        incidents = list(fleet.minute(at, views, failures))
        spent += time.process_time() - began
        samples += int((views > 0).sum())
        book += [paged(fleet, one, at) for one in incidents]
        if (at + 1) % DAY or at < audience.warm_up:
            continue
        result = summed_up(fleet, audience.warm_up, asked.pages, at + 1, book)
        result["cpu_us_a_sample"] = round(1e6 * spent / samples, 3)
        print(f"after day {(at + 1) // DAY}:")
        for name, value in result.items():
            print(f"  {name:36} {value}", flush=True)
        keep(asked.name, {"parameters": vars(asked), "machine": described(), "result": result})
        seen = set()
        for one in book:
            is_second = one.fault is not None and (one.place, one.fault) in seen
            seen.add((one.place, one.fault))
            if one.at >= max(audience.warm_up, at + 1 - DAY) and (is_second or not one.is_right):
                word = "second" if is_second else "false" if one.fault is None else "misnamed"
                print(f"  {word} {described_page(fleet, one)}")


if __name__ == "__main__":
    main()
