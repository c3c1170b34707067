"""What evaluation costs: ``python benchmarks/evaluation.py``.

A hundred thousand series in fifty rules at one sample a second, in batches as
one read brings them; a single sample; a tick over a hundred thousand groups
that have nothing to do, and one that have all been silent for too long; and what
the model costs on a hundred thousand groups.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

import machine
import numpy as np

from playwatch.core.learned import LearnedWatch
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import (
    Anomaly,
    Bound,
    Comparison,
    Matcher,
    NoData,
    NoDataPolicy,
    Rule,
    Severity,
    Threshold,
    Tier,
)
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_800_000_000_000
METRIC = "playback_failure_percentage"
CONDITION = Threshold(
    Comparison.ABOVE, (Tier(Severity.CRITICAL, 5.0),), Bound(Comparison.AT_MOST, 5.0)
)


class Load:
    """Series shared out among rules, each series its own group."""

    def __init__(self, series: int, rules: int, **fields: Any) -> None:  # noqa: ANN401 - a rule's
        catalogue, self.table = Catalogue(), SeriesTable()
        metric = catalogue.id_of(METRIC)
        if metric is None:
            raise LookupError(METRIC)
        self.rows = np.array(
            [
                self.table.intern(
                    metric, canonical_dimensions({"property": f"p{n % rules}", "title": f"t{n}"})
                )
                for n in range(series)
            ],
            np.int32,
        )
        made = [
            Rule(
                f"rule-{n}",
                METRIC,
                CONDITION,
                where=(Matcher("property", (f"p{n}",)),) if rules > 1 else (),
                by=("title",),
                for_s=60.0,
                **fields,
            )
            for n in range(rules)
        ]
        self.pipeline = Pipeline(catalogue, self.table, made, [], "benchmark")
        self.dice = np.random.default_rng(1)

    def second(self, number: int, batch: int) -> float:
        """Take one sample of every series; return the processor time, seconds."""
        spent = 0.0
        now = Instant(START + number * 1000, number * 1000)
        for first in range(0, len(self.rows), batch):
            rows = self.rows[first : first + batch]
            count = len(rows)
            samples = SampleBatch(
                rows,
                np.full(count, now.at, np.int64),
                self.dice.uniform(0, 4, count),
                np.full(count, 50, np.int64),
            )
            begun = time.process_time()
            self.pipeline.take(samples, now)
            spent += time.process_time() - begun
        return spent

    def tick_ms(self, number: int) -> float:
        """Return the processor time of one tick, milliseconds."""
        begun = time.process_time()
        self.pipeline.tick(Instant(START + number * 1000, number * 1000))
        return (time.process_time() - begun) * 1000


def cores(batch: int, seconds: int = 6) -> float:
    """Return the cores that 100,000 series in 50 rules at one sample a second take."""
    load = Load(100_000, 50)
    load.second(0, batch)
    load.second(1, batch)
    return round(sum(load.second(2 + n, batch) for n in range(seconds)) / seconds, 3)


def ticks() -> dict[str, float]:
    """Return what ticks over 100,000 groups cost, milliseconds."""
    load = Load(100_000, 1, no_data=NoData(NoDataPolicy.OPEN, 300.0), window_s=60.0)
    load.second(0, 100_000)
    load.tick_ms(1)
    idle = [load.tick_ms(number) for number in range(2, 299)]
    load.second(299, 50_000)
    looking = load.tick_ms(599 - 1)
    return {
        "idle_median": round(float(np.median(idle)), 4),
        "idle_largest": round(max(idle), 3),
        "one_that_looks_at_all": round(looking, 3),
    }


def single_us() -> float:
    """Return the processor time of a batch of one sample, microseconds."""
    load = Load(10, 1)
    load.second(0, 10)
    count = 5000
    begun = time.process_time()
    for number in range(count):
        at = START + 1000 + number
        one = SampleBatch.of(load.rows[:1], [at], [1.0], [50])
        load.pipeline.take(one, Instant(at, 1000 + number))
    return round((time.process_time() - begun) / count * 1e6, 1)


def model_us(series: int = 100_000, intervals: int = 6) -> dict[str, float]:
    """Return what the model costs a group and interval, microseconds of processor time.

    The detector alone, the decision alone, and all that a learned rule does:
    on arrival of one sample of every series, and when its interval closes.
    """
    load = Load(series, 1)
    rule = Rule("learned", METRIC, Anomaly(1.0, (("title",),)))
    pipeline = Pipeline(Catalogue(), load.table, [rule], [], "benchmark")
    (watch,) = pipeline.watches
    parts = dict.fromkeys(("detector", "decision", "arrival", "interval"), 0.0)
    if isinstance(watch, LearnedWatch):
        watch.detector.step = timed(watch.detector.step, parts, "detector")  # type: ignore[method-assign]
        watch.decider.decide = timed(watch.decider.decide, parts, "decision")  # type: ignore[method-assign]
    for number in range(intervals + 3):
        if number == 3:  # noqa: PLR2004 - before that memory grows
            parts.update(dict.fromkeys(parts, 0.0))
        at_ms = number * 60_000
        views = load.dice.integers(50, 500, series)
        value = 100 * load.dice.binomial(views, 0.01) / views
        samples = SampleBatch(load.rows, np.full(series, START + at_ms), value, views)
        begun = time.process_time()
        pipeline.take(samples, Instant(START + at_ms, at_ms))
        arrived = time.process_time()
        pipeline.tick(Instant(START + at_ms + 71_000, at_ms + 71_000))
        parts["arrival"] += arrived - begun
        parts["interval"] += time.process_time() - arrived
    return {name: round(spent / intervals / series * 1e6, 3) for name, spent in parts.items()}


def timed(call: Callable[..., Any], parts: dict[str, float], name: str) -> Callable[..., Any]:
    """Return a function that adds the processor time of a call to a part."""

    def run(*arguments: Any) -> Any:  # noqa: ANN401 - whatever it takes
        begun = time.process_time()
        try:
            return call(*arguments)
        finally:
            parts[name] += time.process_time() - begun

    return run


def main() -> int:
    """Measure, print, keep the result."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    facts = {
        "question": "processor time of evaluation; 100,000 series, 50 rules, 1 sample a second",
        "cores_by_batch": {str(batch): cores(batch) for batch in (1000, 10_000, 50_000)},
        "tick_of_100_000_groups_ms": ticks(),
        "single_sample_us": single_us(),
        "model_us_per_group_and_interval": model_us(),
        "machine": machine.described(),
    }
    print(facts)
    print(machine.keep("evaluation", facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
