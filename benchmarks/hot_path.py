"""What the hot path costs against a fixed yardstick: ``python benchmarks/hot_path.py``.

Microseconds of one machine say nothing about another, and those of a busy one
little about itself an hour later. So each case is timed in turn with a yardstick
that never changes, a loop and some array work, in the same process, and their
ratio is kept by commit in ``results/hot_path.json``. With two commits as
arguments it says what became slower; it exits 1 beyond a quarter.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import machine
import numpy as np
from evaluation import METRIC, START, Load

from playwatch.codecs import CODECS
from playwatch.codecs.packed_writer import encode
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
TOLERATED = 1.25
KEPT = machine.RESULTS / "hot_path.json"


def yardstick() -> None:
    """Do a fixed piece of work, half of it Python's and half of it numpy's."""
    seen: dict[int, int] = {}
    for number in range(2000):
        seen[number % 97] = seen.get(number % 97, 0) + number
    column = np.arange(20_000, dtype=np.float64)
    for _ in range(10):
        column = column * 1.0001 + 1.0


def evaluation(rules: int, batch: int, times: int) -> Callable[[], None]:
    """Return a run of several batches through rules, each a millisecond later."""
    load = Load(10_000, rules)
    load.second(0, 10_000)
    # Shuffled, so that a batch holds samples of every rule.
    load.rows = load.dice.permutation(load.rows)
    clock = [2000]
    value, views = load.dice.uniform(0, 4, batch), np.full(batch, 50, np.int64)

    def run() -> None:
        for _ in range(times):
            clock[0] += 1
            first = clock[0] * batch % (len(load.rows) - batch + 1)
            now = Instant(START + clock[0], clock[0])
            at = np.full(batch, now.at, np.int64)
            rows = load.rows[first : first + batch]
            load.pipeline.take(SampleBatch(rows, at, value, views), now)

    return run


def decoding(samples: int, times: int) -> Callable[[], None]:
    """Return a run that reads several messages of as many samples as JSON columns or objects."""
    catalogue = Catalogue()
    intake = Intake(catalogue, SeriesTable(), SequenceTracker())
    places = [{"title": f"t{number}"} for number in range(samples)]
    document: dict[str, Any] = {"metric": METRIC, "value": [1.5] * samples, "views": 50}
    document["dimensions"] = places
    if samples == 1:
        document |= {"value": 1.5, "dimensions": places[0]}
    payload = json.dumps(document).encode()

    def run() -> None:
        intake.begin(Instant(START, 0))
        for _ in range(times):
            intake.message("playwatch/samples/bench", "native")
            CODECS["native"](payload, intake)
        intake.finish()

    return run


def packed(times: int, *, table: bool) -> Callable[[], None]:
    """Return a run of messages of 10,000 samples from their bytes to the verdict, one rule.

    Parameters
    ----------
    table
        True to name the keys once, False to repeat them in each message.
    """
    load = Load(0, 1)
    intake = Intake(Catalogue(), load.table, SequenceTracker())
    keys = [(METRIC, {"title": f"t{number}"}) for number in range(10_000)]
    values = np.full(len(keys), 1.5)
    named = encode(keys, source="bench", table="keys")
    payload = (
        encode(None, values, views=50, source="bench", table="keys")
        if table
        else encode(keys, values, views=50)
    )
    clock = [0]

    def read(message: bytes) -> None:
        clock[0] += 1
        now = Instant(START + clock[0], clock[0])
        intake.begin(now)
        intake.message("playwatch/samples/bench", "packed")
        CODECS["packed"](message, intake)
        load.pipeline.take(intake.finish().batch, now)

    for message in (named, payload, payload):
        read(message)

    def run() -> None:
        for _ in range(times):
            read(payload)

    return run


def cases() -> dict[str, Callable[[], None]]:
    """Return what is timed, by name."""
    return {
        "evaluate 1 sample, 1 rule": evaluation(1, 1, 100),
        "evaluate 10 samples, 1 rule": evaluation(1, 10, 50),
        "evaluate 1,000 samples, 1 rule": evaluation(1, 1000, 5),
        "evaluate 1 sample, 50 rules": evaluation(50, 1, 100),
        "evaluate 1,000 samples, 50 rules": evaluation(50, 1000, 2),
        "decode 100 messages of 1 sample": decoding(1, 100),
        "decode 1 message of 1,000 samples": decoding(1000, 1),
        "packed message of 10,000, keys in it": packed(2, table=False),
        "packed message of 10,000, by table": packed(2, table=True),
    }


def spent(work: Callable[[], None]) -> float:
    """Return the processor time of one run, seconds."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def measured() -> dict[str, dict[str, float]]:
    """Return the ratio of each case to the yardstick that ran just before it."""
    found = {}
    for name, work in cases().items():
        work()
        pairs = [(spent(yardstick), spent(work)) for _ in range(ROUNDS)]
        found[name] = machine.quantiles([cost / unit for unit, cost in pairs])
    return found


def compare(kept: dict[str, Any], before: str, after: str) -> int:
    """Print what two commits cost; return 1 when one case became slower than is tolerated."""
    slower = 0
    for name, now in kept[after]["ratios"].items():
        then = kept[before]["ratios"].get(name)
        if then is None:
            print(f"{name:36} {'new':>8} {now['median']:8.3f}")
            continue
        factor = now["median"] / then["median"]
        slower += factor > TOLERATED
        print(f"{name:36} {then['median']:8.3f} {now['median']:8.3f}  x {factor:.2f}")
    return int(slower > 0)


def main() -> int:
    """Measure this commit and keep it, or compare two that were kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commits", nargs="*", help="two commits to compare, as they were kept")
    asked = parser.parse_args()
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if asked.commits:
        unknown = [commit for commit in asked.commits if commit not in kept]
        if len(asked.commits) != 2 or unknown:  # noqa: PLR2004 - before and after
            parser.error(f"name two of the commits that were kept: {', '.join(kept) or 'none'}")
        return compare(kept, *asked.commits)
    facts = machine.described()
    kept[facts["commit"]] = {"ratios": measured(), "rounds": ROUNDS, "machine": facts}
    for name, ratio in kept[facts["commit"]]["ratios"].items():
        print(
            f"{name:36} {ratio['median']:8.3f} yardsticks ({ratio['q1']:.3f} to {ratio['q3']:.3f})"
        )
    print(machine.keep("hot_path", kept))
    return 0


if __name__ == "__main__":
    sys.exit(main())
