"""Running it for real: the service manager, backups beside a running engine, the way back."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import sqlite3
from asyncio.subprocess import PIPE, STDOUT
from contextlib import closing
from pathlib import Path

import pytest

from playwatch.core.metrics import Merge
from playwatch.core.series import canonical_dimensions
from playwatch.store.history import History
from playwatch.store.history_blocks import Rows
from tests.processes import PLAYWATCH, finished, playwatch
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
ANALYZE = shutil.which("systemd-analyze")
CONFIG = """
mqtt: {embedded: true, listen: "127.0.0.1:0"}
store: {path: playwatch.db}
web: {listen: off}
rules:
  - {name: failures, metric: playback_failure_percentage, trigger: "> 5"}
"""


def with_store(folder: Path, name: str) -> Path:
    path = folder / f"with-{name}.yaml"
    path.write_text(CONFIG.replace("playwatch.db", name))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return with_store(tmp_path, "playwatch.db")


async def test_systemd_hears_that_it_is_ready_alive_and_stopping(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        async with playwatch("run", "-c", str(config)) as engine:
            heard = [await asyncio.to_thread(manager.recv, 4096) for _ in range(4)]
            await engine.end(signal.SIGTERM)
        manager.settimeout(0)
        while True:
            try:
                heard.append(manager.recv(4096))
            except BlockingIOError:
                break

    said = [line.decode() for one in heard for line in one.splitlines()]
    assert said.count("READY=1") == 1
    assert said.count("WATCHDOG=1") >= 3
    assert said[-1] == "STOPPING=1"


@pytest.mark.long
@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
async def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    assert ANALYZE is not None
    unit = (ROOT / "config/systemd/playwatch.service").read_text()
    there = tmp_path / "playwatch.service"
    there.write_text(unit.replace("/opt/playwatch/bin/playwatch", PLAYWATCH))
    process = await asyncio.create_subprocess_exec(
        *(ANALYZE, "verify", str(there)), stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()

    assert [line for line in said.decode().splitlines() if "playwatch" in line] == []
    assert "WatchdogSec=" in unit
    assert "Type=notify" in unit


async def test_a_check_looks_at_the_store_and_at_its_history(config: Path, tmp_path: Path) -> None:
    past = tmp_path / "playwatch-history.db"
    async with playwatch("run", "-c", str(config)) as engine:
        await engine.wait_to_say("1 rule")
    with closing(History.open(past)) as history:
        ids = history.ids("playback_failure_percentage", Merge.MEAN, [b""])
        history.write(Rows.of(ids, [30_000_000], [1.0], [500]))

    code, said = await finished("store", "check", "-c", str(config))
    assert (code, "1 series in 1 block, from 2027-01-15T" in said) == (0, True)
    code, said = await finished("store", "check", "-c", str(config), "--json")
    assert json.loads(said)["history"]["problems"] == []
    with closing(sqlite3.connect(past)) as database:
        database.execute("UPDATE blocks SET body = x'00'")
        database.commit()
    for arguments in (("-c", str(config)), (str(past),)):
        code, said = await finished("store", "check", *arguments)
        assert (code, "block 1 cannot be read" in said) == (1, True)
    code, said = await finished("store", "check", str(past), "--json")
    assert (code, json.loads(said)["blocks"]) == (1, 1)


async def test_a_backup_beside_a_running_engine_is_checked_and_started_from(
    config: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    async with playwatch("run", "-c", str(config)) as engine:
        await engine.wait_to_say("1 rule")
        code, said = await finished("store", "backup", str(target), "-c", str(config), "--json")
        assert (code, json.loads(said)["problems"]) == (0, [])
    assert (await finished("store", "check", str(target)))[0] == 0

    restored = with_store(tmp_path, "backup.db")
    async with playwatch("run", "-c", str(restored)) as engine:
        await engine.wait_to_say("1 rule")


async def test_a_newer_store_is_refused_with_the_way_back(config: Path, tmp_path: Path) -> None:
    async with playwatch("run", "-c", str(config)) as engine:
        await engine.wait_to_say("1 rule")
    with closing(sqlite3.connect(tmp_path / "playwatch.db")) as database:
        database.execute("PRAGMA user_version = 999")
    for command in (("run",), ("store", "check")):
        code, said = await finished(*command, "-c", str(config))
        assert code == 2
        assert "upgrade Playwatch, or restore the backup made before the upgrade" in said


async def test_the_history_is_taken_out_and_a_backtest_reads_it(
    config: Path, tmp_path: Path
) -> None:
    with closing(History.open(tmp_path / "playwatch-history.db")) as history:
        names = [canonical_dimensions({"country": "SE"})]
        ids = history.ids("playback_failure_percentage", Merge.MEAN, names)
        for minute in range(30_000_000, 30_000_120):
            value = 9.0 if 40 <= minute % 100 < 60 else 1.0
            history.write(Rows.of(ids, [minute], [value], [500]))
        rule = history.ids("rule:failures", Merge.LATEST, names)
        history.write(Rows.of(rule, [30_000_000], [7.0], [1]))
    target = tmp_path / "past.jsonl"
    code, said = await finished(
        "history", "export", str(target), "--last", "110m", "-c", str(config)
    )
    assert (code, said) == (0, "110 samples\n")

    code, said = await finished("backtest", str(target), "-c", str(config), "--json")
    assert code in {0, 1}
    assert '"incidents": 1' in said or said.count('"started_at"') == 1

    code, said = await finished("history", "export", "-", "--last", "soon", "-c", str(config))
    assert code == 2
