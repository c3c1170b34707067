"""What a sample costs, from the socket to the verdict: ``python benchmarks/throughput.py``.

A real mosquitto and the engine as its users run it; a publisher that writes
packets by itself sends samples in every encoding, as fast as the broker takes
them. Of a key table the keys were announced before; what that costs is not in
it. Processor time is the engine's alone. Whatever was sent and not counted is
lost, and said so.

`results/throughput.json` keeps the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import described, keep
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from surroundings import METRIC, Publisher, broker, engine, receiver

from playwatch.codecs.packed_writer import encode, name_of

SERIES = 1000
ENCODINGS = (
    # name, codec, QoS, samples a message, messages
    ("one sample, QoS 0", "native", 0, 1, 60_000),
    ("one sample, QoS 1", "native", 1, 1, 60_000),
    ("list of 100", "native", 1, 100, 3_000),
    ("columns of 1,000", "native", 1, 1_000, 1_000),
    ("packed, 1,000", "packed", 1, 1_000, 3_000),
    ("packed, 10,000", "packed", 1, 10_000, 600),
    ("key table, 1,000", "packed by table", 1, 1_000, 6_000),
    ("key table, 10,000", "packed by table", 1, 10_000, 3_000),
)


async def main() -> None:
    """Measure every encoding, print a table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of messages")
    parser.add_argument("--only", default="", help="encodings with these words; only prints")
    parser.add_argument("--rules-only", action="store_true", help="no model; only prints")
    parser.add_argument("--no-keep", action="store_true", help="only print")
    asked = parser.parse_args()
    machine, rows = described(), []
    models = (False,) if asked.rules_only else (False, True)
    some = [encoding for encoding in ENCODINGS if asked.only in encoding[0]]
    if not some:
        parser.error(f"no encoding has {asked.only!r} in its name")
    setups = [(encoding, model) for model in models for encoding in some]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("encodings", total=len(setups) * asked.repeat)
        for encoding, model in setups:
            runs = []
            for _ in range(asked.repeat):
                runs.append(await measure(*encoding, scale=asked.scale, with_model=model))
                progress.advance(task)
            rows.append(summary(encoding[0], runs, with_model=model))
    show(rows)
    if len(setups) == 2 * len(ENCODINGS) and not asked.no_keep:
        result = {
            "machine": machine,
            "series": SERIES,
            "repeat": asked.repeat,
            "scale": asked.scale,
            "rows": rows,
        }
        print(f"kept in {keep('throughput', result).name}")


async def measure(
    name: str, codec: str, qos: int, samples: int, messages: int, *, scale: float, with_model: bool
) -> dict[str, float]:
    """Return what one run cost the engine, and how much of it was counted."""
    del name
    messages = max(10, round(messages * scale))
    payloads = [_payload(codec, samples, number) for number in range(min(messages, 50))]
    if codec == "packed by table":
        payloads[0] = _announcing(samples)
    anomalies = (
        f"[{{name: learned, metric: {METRIC}, by: [[], [country]]}}]" if with_model else "[]"
    )
    with tempfile.TemporaryDirectory() as folder:
        async with (
            broker(Path(folder)) as port,
            receiver() as (_, events),
            engine(
                Path(folder),
                port,
                events,
                codec=codec.split(maxsplit=1)[0],
                qos=qos,
                window=60,
                anomalies=anomalies,
            ) as running,
        ):
            with Publisher(port, qos) as publisher:
                await asyncio.to_thread(publisher.publish, payloads)
                warm = samples * len(payloads)
                payloads = payloads[1:]
                await running.has("playwatch_samples_received_total", warm)
                cpu, began = running.cpu_s(), time.perf_counter()
                stream = (payloads[number % len(payloads)] for number in range(messages))
                await asyncio.to_thread(publisher.publish, stream)
                counted = await _settled(running, warm + samples * messages)
                took_s = time.perf_counter() - began
                cpu = running.cpu_s() - cpu
            memory = running.memory_bytes()
    sent = samples * messages
    return {
        "cpu_s": cpu,
        "cpu_us_a_message": cpu / messages * 1e6,
        "cpu_us_a_sample": cpu / sent * 1e6,
        "samples_a_second": (counted - warm) / took_s,
        "lost": warm + sent - counted,
        "memory_mb": memory / 1e6,
    }


async def _settled(running: Any, expected: int) -> int:  # noqa: ANN401 - surroundings' engine
    """Return how many samples were counted once no more come."""
    counted, quiet = -1.0, 0
    while quiet < 20:  # noqa: PLR2004 - two seconds
        now = await running.metric("playwatch_samples_received_total")
        if now >= expected:
            return int(now)
        quiet = quiet + 1 if now == counted else 0
        counted = now
        await asyncio.sleep(0.1)
    return int(counted)


def _payload(codec: str, samples: int, number: int) -> bytes:
    """Return one message of good samples, each of another series."""
    series = max(SERIES, samples)
    titles = [f"title-{(number * samples + n) % series}" for n in range(samples)]
    value = np.full(samples, 1.0 + number % 3)
    if codec == "packed by table":
        table = name_of(_keys(series))
        return encode(None, value, views=100, source="bench", table=table)
    if codec == "packed":
        return encode(_keys(series), value, views=100)
    dimensions = [{"video_title": title, "country": f"c{int(title[6:]) % 20}"} for title in titles]
    if samples == 1:
        one = {"metric": METRIC, "value": 1.5, "views": 100, "dimensions": dimensions[0]}
        return json.dumps(one).encode()
    if samples <= 100:  # noqa: PLR2004 - a list
        many = [{"metric": METRIC, "value": 1.5, "views": 9, "dimensions": d} for d in dimensions]
        return json.dumps(many).encode()
    columns = {"metric": METRIC, "value": value.tolist(), "views": 100, "dimensions": dimensions}
    return json.dumps(columns).encode()


def _announcing(samples: int) -> bytes:
    """Return the first message of a source that names its keys."""
    keys = _keys(max(SERIES, samples))
    return encode(keys, np.ones(samples), views=100, source="bench", table=name_of(keys))


def _keys(count: int) -> list[tuple[str, dict[str, str]]]:
    return [(METRIC, {"video_title": f"title-{n}", "country": f"c{n % 20}"}) for n in range(count)]


def summary(name: str, runs: list[dict[str, float]], *, with_model: bool) -> dict[str, Any]:
    """Return the medians of some runs with their quartiles, and the worst loss."""
    row: dict[str, Any] = {"encoding": name, "with_model": with_model, "quartiles": {}}
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        row[figure] = round(max(values) if figure == "lost" else statistics.median(values), 3)
        quartiles = np.percentile(values, [25, 75]).tolist()
        row["quartiles"][figure] = [round(one, 3) for one in quartiles]
    return row


def show(rows: list[dict[str, Any]]) -> None:
    """Print the result as a table."""
    table = Table("encoding", "model", "µs/message", "µs/sample", "samples/s", "lost", "MB")
    for row in rows:
        table.add_row(
            row["encoding"],
            "yes" if row["with_model"] else "no",
            f"{row['cpu_us_a_message']:.1f}",
            f"{row['cpu_us_a_sample']:.3f}",
            f"{row['samples_a_second']:,.0f}",
            f"{row['lost']:.0f}",
            f"{row['memory_mb']:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
