"""Views from the start of a failure to its detection, against what is possible.

    python benchmarks/detection_delay.py [--streams 2000]

One stream of 100 views a minute, arriving ten at a time, fails at p = 1 % and
then at 1.5 to 10 times that. Every detector gets the same rate of false alarms,
one a week, by a level found on the same quiet streams; the delay counts from
the first view after the change.

* **best possible**: Page's CUSUM that knows both rates. No procedure has a
  smaller worst-case delay at the same rate of false alarms (Lorden 1971;
  Moustakides 1986 for every rate); its average from an empty sum is the bound.
* **ln(views between false alarms) / information**: Lorden's bound as it is usually
  written; it leaves out constants, and the true bound lies below it where a
  change is large.
* **playwatch**: the shipped detector, which knows neither rate; once each minute,
  and also looking into the open minute as samples arrive.
* **buckets** of 1,000 and of 100 views, judged when they are full, as Mux describes
  its anomaly alerts.
* **threshold with `for`**: the percentage of the last minute over a bound for two
  minutes.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
from machine import described, keep

from playwatch_models.classes import Direction, MetricClass, Watch
from playwatch_models.detector import Intervals
from playwatch_models.evidence import RatioDetector

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Scores = NDArray[np.float64]
    Method = Callable[[NDArray[np.int64], float], Scores]

RATE = 0.01
TIMES = (1.5, 2.0, 3.0, 5.0, 10.0)
BATCH = 10
A_MINUTE = 10
WEEK_MINUTES = 7 * 1440
PHASES = tuple(range(10, 20))
"""Quiet minutes before the change, so that it falls in every part of a bucket."""
QUIET_MINUTES = 1500
WARM_MINUTES = 500
FAULT_MINUTES = 240
START = 1_767_571_200_000


def drawn(rate: float, streams: int, minutes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return failures of each batch of ten views, shape ``(batches, streams)``."""
    return rng.binomial(BATCH, rate, (minutes * A_MINUTE, streams))


def best_possible(failed: NDArray[np.int64], times: float) -> Scores:
    """Sum log-likelihood ratios of the two true rates, never below 0."""
    raised = RATE * times
    for_failed, for_fine = np.log(times), np.log((1 - raised) / (1 - RATE))
    total, out = np.zeros(failed.shape[1]), np.empty(failed.shape)
    for at, batch in enumerate(failed):
        total = np.maximum(0.0, total + batch * for_failed + (BATCH - batch) * for_fine)
        out[at] = total
    return out


def buckets(failed: NDArray[np.int64], views: int) -> Scores:
    """Count the failures of full buckets; in between nothing is known."""
    batches = views // BATCH
    out = np.zeros(failed.shape)
    full = len(failed) // batches
    sums = failed[: full * batches].reshape(full, batches, -1).sum(axis=1)
    out[batches - 1 : full * batches : batches] = sums
    return out


def threshold_for(failed: NDArray[np.int64], minutes: int) -> Scores:
    """Return the lowest percentage of a sliding minute over the last minutes."""
    running = np.cumsum(np.concatenate([np.zeros((A_MINUTE, failed.shape[1])), failed]), axis=0)
    minute: Scores = (running[A_MINUTE:] - running[:-A_MINUTE]) / (A_MINUTE * BATCH)
    out: Scores = minute.copy()
    for back in range(1, minutes * A_MINUTE):
        out[back:] = np.minimum(out[back:], minute[:-back])
    return out


class Shipped:
    """The shipped detector over many streams that stay where they are.

    Parameters
    ----------
    failed
        Batches that it is taught with.
    """

    def __init__(self, failed: NDArray[np.int64], *, peeks: bool) -> None:
        self._peeks = peeks
        self._streams = failed.shape[1]
        self._group = np.arange(self._streams, dtype=np.int32)
        self._detector = RatioDetector(Watch(MetricClass.RATIO, 60.0, Direction.UP))
        self._detector.resize(self._streams, np.full(self._streams, -1, np.int32))
        self._minute = 0
        self.scores(failed)

    def scores(self, failed: NDArray[np.int64]) -> Scores:
        """Play batches; return the highest score known after each."""
        out = np.zeros(failed.shape)
        for first in range(0, len(failed), A_MINUTE):
            sums = np.cumsum(failed[first : first + A_MINUTE], axis=0)
            for place, failures in enumerate(sums):
                is_closed = place == A_MINUTE - 1
                if is_closed or self._peeks:
                    out[first + place] = self._judge(failures, (place + 1) * BATCH, is_closed)
            self._minute += 1
        return out

    def _judge(self, failures: NDArray[np.int64], views: int, is_closed: bool) -> Scores:  # noqa: FBT001  # one caller
        intervals = Intervals(
            self._group,
            np.full(self._streams, START + (self._minute + 1) * 60_000),
            100.0 * failures / views,
            np.full(self._streams, float(views)),
        )
        if is_closed:
            return self._detector.step(intervals, np.zeros(self._streams, bool)).score
        return self._detector.peek(intervals).score

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """Return the state, to be restored before each fault."""
        return {**self._detector.columns(), "minute": np.array([self._minute])}

    def restore(self, kept: dict[str, NDArray[np.generic]]) -> None:
        """Take the state back."""
        columns = dict(kept)
        self._minute = int(columns.pop("minute")[0])
        self._detector.restore(columns)


def level_of(scores: Scores) -> float:
    """Return the level that quiet streams reach once a week each.

    A run of scores over the level, with gaps up to ten minutes, is one alarm.
    """
    asked = scores.shape[1] * len(scores) / A_MINUTE / WEEK_MINUTES
    low, high = 0.0, float(scores.max()) + 1e-9
    for _ in range(40):
        middle = (low + high) / 2
        if alarms(scores > middle) > asked:
            low = middle
        else:
            high = middle
    return high


def alarms(over: NDArray[np.bool_]) -> int:
    """Count runs, merged over gaps of up to ten minutes."""
    count = 0
    since = np.full(over.shape[1], 10**6)
    for row in over:
        count += int((row & (since > 10 * A_MINUTE)).sum())
        since = np.where(row, 0, since + 1)
    return count


def delay(scores: Scores, level: float) -> tuple[float, float]:
    """Return mean views until the level is passed, and the share that ever is."""
    over = scores > level
    is_found = over.any(axis=0)
    first = np.where(is_found, over.argmax(axis=0) + 1, len(scores))
    return float(first.mean() * BATCH), float(is_found.mean())


def simple(streams: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Measure the methods that start from nothing."""
    quiet = drawn(RATE, streams, QUIET_MINUTES, rng)
    methods: dict[str, Method] = {
        "best possible": best_possible,
        "buckets of 1000 views": lambda failed, _: buckets(failed, 1000),
        "buckets of 100 views": lambda failed, _: buckets(failed, 100),
        "threshold for 2 minutes": lambda failed, _: threshold_for(failed, 2),
    }
    result: dict[str, dict[str, float]] = {}
    for name, method in methods.items():
        result[name] = {}
        level = level_of(method(quiet, 2.0))
        for times in TIMES:
            if method is best_possible:
                level = level_of(method(quiet, times))
            # The change falls anywhere in a bucket; the best starts from nothing.
            phases = (0,) if method is best_possible else PHASES
            found = []
            for phase in phases:
                before = drawn(RATE, streams // len(phases), phase, rng)
                after = drawn(RATE * times, streams // len(phases), FAULT_MINUTES, rng)
                scores = method(np.concatenate([before, after]), times)[len(before) :]
                found.append(delay(scores, level)[0])
            result[name][f"{times:g}"] = float(np.mean(found))
    return result


def shipped(streams: int, rng: np.random.Generator, *, peeks: bool) -> dict[str, float]:
    """Measure the shipped detector."""
    detector = Shipped(drawn(RATE, streams, WARM_MINUTES, rng), peeks=peeks)
    level = level_of(detector.scores(drawn(RATE, streams, QUIET_MINUTES, rng)))
    kept = detector.kept()
    result = {"level": level}
    for times in TIMES:
        detector.restore(kept)
        after = detector.scores(drawn(RATE * times, streams, FAULT_MINUTES, rng))
        result[f"{times:g}"], _ = delay(after, level)
    return result


def bound(times: float) -> float:
    """Return Lorden's first-order bound, views."""
    raised = times * RATE
    information = raised * np.log(times) + (1 - raised) * np.log((1 - raised) / (1 - RATE))
    return float(np.log(WEEK_MINUTES * A_MINUTE * BATCH) / information)


def main() -> None:
    """Measure, print and keep the curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    result = simple(asked.streams, rng)
    result["ln(views) / information"] = {f"{times:g}": bound(times) for times in TIMES}
    result["playwatch, each minute"] = shipped(asked.streams, rng, peeks=False)
    result["playwatch, on arrival"] = shipped(asked.streams, rng, peeks=True)
    best = result["best possible"]
    print(f"{'mean views to detection, p to':28}", *(f"{times:>7g}p" for times in TIMES))
    for name, row in result.items():
        print(f"{name:28}", *(f"{row[f'{times:g}']:8.0f}" for times in TIMES))
    for name in ("playwatch, each minute", "playwatch, on arrival"):
        ratios = [result[name][f"{times:g}"] / best[f"{times:g}"] for times in TIMES]
        print(f"{name + ' / best':28}", *(f"{ratio:8.2f}" for ratio in ratios))
    keep("detection_delay", {"parameters": vars(asked), "machine": described(), "result": result})


if __name__ == "__main__":
    main()
