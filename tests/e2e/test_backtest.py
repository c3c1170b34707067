"""record, replay and backtest as people run them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

from playwatch.ingest.embedded import EmbeddedBroker
from playwatch.ingest.publish import publish
from tests.brokers import at_port
from tests.processes import PLAYWATCH, finished, playwatch

if TYPE_CHECKING:
    from pathlib import Path

METRIC = "playback_failure_percentage"
CONFIG = """\
mqtt: {{url: "{url}", protocol: "3.1.1"}}
rules:
  - {{name: failures, metric: playback_failure_percentage, by: [country], window: 10s,
     trigger: "> {limit}"}}
channels:
  - {{name: oncall, service: pagerduty, integration_key: "${{UNSET_HERE}}"}}
"""


def config_of(folder: Path, limit: int = 5, url: str = "mqtt://127.0.0.1") -> str:
    path = folder / f"above-{limit}.yaml"
    path.write_text(CONFIG.format(limit=limit, url=url))
    return str(path)


def long_table_of(folder: Path) -> str:
    path = folder / "long.csv"
    rows = [
        f"2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z,{METRIC},1,100,DE"
        for day in range(1, 29)
        for hour in range(24)
        for minute in range(60)
        for second in range(0, 60, 10)
    ]
    path.write_text("\n".join(["at,metric,value,views,country", *rows]) + "\n")
    return str(path)


def table_of(folder: Path, *extra: str) -> str:
    path = folder / "samples.csv"
    rows = [
        f"2026-11-23T10:{minute:02}:00Z,{METRIC},{9 if minute % 10 == 5 else 1},100,DE"
        for minute in range(60)
    ]
    path.write_text("\n".join(["at,metric,value,views,country", *rows, *extra]) + "\n")
    return str(path)


async def test_replay_prints_transitions_and_needs_no_secrets(tmp_path: Path) -> None:
    code, said = await finished("replay", table_of(tmp_path), "-c", config_of(tmp_path), "--json")

    assert code == 0
    changes = [json.loads(line) for line in said.splitlines()]
    assert [one["change"] for one in changes] == ["opened", "resolved"] * 6
    assert changes[0]["pages"] == [{"channel": "oncall", "action": "trigger"}]
    assert changes[0]["started_at"] == "2026-11-23T10:05:00.000Z"


async def test_a_bad_line_is_named_and_the_exit_code_tells(tmp_path: Path) -> None:
    table = table_of(tmp_path, "yesterday,x,1,1,DE")

    code, said = await finished("replay", table, "-c", config_of(tmp_path))

    assert code == 1
    assert f"{table}:62: " in said
    assert said.count(" opened ") == 6


async def test_backtest_shows_what_another_rule_set_changes(tmp_path: Path) -> None:
    report = tmp_path / "report.html"

    code, said = await finished(
        "backtest",
        table_of(tmp_path),
        *("-c", config_of(tmp_path), "--against", config_of(tmp_path, 50)),
        *("--html", str(report)),
    )

    assert code == 0
    assert "Only in A: 6" in said
    assert "oncall 1" in said
    assert "country=DE" in report.read_text()


async def test_backtest_suggests_a_bound_as_json(tmp_path: Path) -> None:
    code, said = await finished(
        *("backtest", table_of(tmp_path), "-c", config_of(tmp_path)),
        *("--suggest", "5 per day", "--rule", "failures", "--json"),
    )

    assert code == 0
    found = json.loads(said)
    assert found["budget_per_week"] == 35
    assert found["best"]["is_within_budget"]
    assert {"trigger", "resolve", "for_s", "incidents_per_week"} <= found["best"].keys()


async def test_what_record_wrote_is_replayed(tmp_path: Path) -> None:
    recording = str(tmp_path / "out.rec")
    async with EmbeddedBroker("127.0.0.1:0") as broker:
        config = config_of(tmp_path, url=broker.url)
        arguments = ("record", recording, "-c", config, "--evaluate", "--json")
        async with playwatch(*arguments) as process:
            await process.wait_to_say("recording mqtt://")
            mqtt = at_port(int(broker.url.rpartition(":")[2]), protocol="3.1.1")
            sample = {"metric": METRIC, "value": 9, "dimensions": {"country": "DE"}}
            while '"opened"' not in process.said:
                await publish(mqtt, [("playwatch/samples/x", json.dumps(sample).encode())])
            assert await process.end(signal.SIGINT) == 0
            live = [line for line in process.said.splitlines() if line.startswith("{")]

    code, said = await finished("replay", recording, "-c", config, "--json")

    assert code == 0
    assert said.splitlines() == live


async def test_a_file_that_is_there_is_not_recorded_over(tmp_path: Path) -> None:
    there = tmp_path / "there.rec"
    there.write_text("precious")

    code, said = await finished("record", str(there), "-c", config_of(tmp_path))

    assert code == 2
    assert "exists" in said
    assert there.read_text() == "precious"


async def test_a_long_backtest_shows_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    table = long_table_of(tmp_path)
    screen, terminal = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(PLAYWATCH, "backtest", table, "-c", config_of(tmp_path), "--html", str(report)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        await _until_shown(screen, "samples/s")
        process.send_signal(signal.SIGINT)
        said = await _until_shown(screen, "nothing was written")
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(screen)

    assert code == 130
    assert "Traceback" not in said
    assert not report.exists()


async def _until_shown(screen: int, words: str) -> str:
    """Return what a terminal has shown once it shows certain words."""
    shown = ""
    while words not in shown:
        shown += (await asyncio.to_thread(os.read, screen, 4096)).decode()
    return shown
