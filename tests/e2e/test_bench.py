"""The bench as people run it: everything started, measured, and taken away again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.brokers import needs_mosquitto
from tests.processes import finished, playwatch
from tests.waiting import soon

KINDS = ["one sample", "columns of 1,000", "packed, 1,000", "key table, 1,000"]
SHORT = ("--breaches", "3", "--storm", "20", "--seconds", "0.2")


def processes_of(folder: Path) -> list[int]:
    """Return the processes that were given something in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(int(path.parent.name))
    return found


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_embedded_broker_is_measured_without_any_set_up(tmp_path: Path) -> None:
    code, said = await finished(
        "bench", *SHORT, "--broker", "embedded", "--json", TMPDIR=str(tmp_path)
    )

    assert code == 0, said
    told = json.loads(said)
    assert told["broker"] == "the embedded broker"
    assert "small sites" in told["caveat"]
    for page in ("trigger", "resolve"):
        latency = told["latency_ms"][page]
        assert latency["count"] == 3
        assert 0 < latency["median"] <= latency["p99"] <= latency["largest"]
    assert [one["what"] for one in told["throughput"]] == KINDS
    for one in told["throughput"]:
        assert one["samples_counted"] == one["samples_sent"] > 0
        assert one["cpu_us_per_sample"] > 0
    assert told["storm"]["breaches"] == 20
    assert (told["storm"]["lost"], told["storm"]["doubled"]) == (0, 0)
    assert left_in(tmp_path) == []
    assert processes_of(tmp_path) == []


@needs_mosquitto
async def test_mosquitto_is_measured_shown_and_drawn(tmp_path: Path) -> None:
    scratch, picture = tmp_path / "scratch", tmp_path / "bench.html"
    scratch.mkdir()

    code, said = await finished("bench", *SHORT, "--html", str(picture), TMPDIR=str(scratch))

    assert code == 0, said
    assert "mosquitto 2" in said
    assert "20 at once" in said
    page = picture.read_text()
    assert "How fast Playwatch is here" in page
    for what in KINDS:
        assert what in said
        assert what in page
    assert left_in(scratch) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_bench_that_is_interrupted_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    async with playwatch("bench", "--broker", "embedded", TMPDIR=str(tmp_path)) as process:
        await soon(lambda: list(tmp_path.glob("*/playwatch.db")))
        assert processes_of(tmp_path)

        process.send(number)
        process.send(number)
        code = await process.exit_code()

    assert code == 130
    assert process.said == ("playwatch: stopped, nothing was measured and nothing is left behind\n")
    assert left_in(tmp_path) == []
    assert processes_of(tmp_path) == []


async def test_an_engine_that_is_lost_is_one_sentence(tmp_path: Path) -> None:
    options = ("--broker", "embedded", "--breaches", "1", "--storm", "1")
    async with playwatch("bench", *options, TMPDIR=str(tmp_path)) as process:
        await soon(lambda: list(tmp_path.glob("*/playwatch.db")))
        for number in processes_of(tmp_path):
            os.kill(number, signal.SIGKILL)
        code = await process.exit_code()

    assert code == 2
    assert process.said.startswith("playwatch: the ")
    assert process.said.count("\n") == 1
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--breaches", "20", "--series", "10"), "20 are more than there are series (10)"),
        (("--html", "/no/such/folder/bench.html"), "there is no folder /no/such/folder"),
    ],
)
async def test_what_cannot_be_measured_is_said_before_anything_starts(
    options: tuple[str, ...], words: str
) -> None:
    code, said = await finished("bench", *options)

    assert code == 2
    assert words in said
