from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LAST_HINT = "playwatch publish"


@asynccontextmanager
async def demo(
    *options: str, stdout: int = asyncio.subprocess.PIPE
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the console script in a session of its own; kill all of it at the end."""
    script = shutil.which("playwatch", path=Path(sys.executable).parent)
    assert script is not None, "playwatch is not installed beside this Python"
    process = await asyncio.create_subprocess_exec(
        script,
        "demo",
        *options,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def hints(process: asyncio.subprocess.Process) -> list[str]:
    """Return the first lines, once the demo has said that it runs."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or LAST_HINT not in lines[-1]:
        line = await process.stdout.readline()
        assert line, "the demo ended before it ran"
        lines.append(line.decode())
    return lines


@pytest.mark.timeout(240)
async def test_an_anomaly_and_a_threshold_incident_page_and_resolve_by_themselves() -> None:
    async with demo("--once", "--json", "--seed", "2") as process:
        async with asyncio.timeout(200):
            out, progress = await process.communicate()

    assert process.returncode == 0, progress.decode()
    told = json.loads(out)
    assert (told["incidents"]["opened"], told["incidents"]["resolved"]) == (2, 2)
    assert told["incidents"]["by_alert_type"] == {"anomaly": 1, "threshold": 1}
    assert told["pagerduty"] == {"triggers": 2, "resolves": 2}
    # The simulated fault is in one country on one CDN; the model was told neither.
    assert "cdn=fastly" in told["cause"]
    assert "country=BR" in told["cause"]
    assert 0 <= told["latency_ms"] < told["duration_s"] * 1000
    assert told["samples"] > 0
    assert told["seed"] == 2
    assert "Traceback" not in progress.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_demo_that_is_interrupted_says_good_bye_and_leaves_nothing(
    number: signal.Signals,
) -> None:
    async with demo() as process:
        lines = await hints(process)
        config = next(Path(line.split()[1]) for line in lines if "configuration" in line)
        assert config.is_file()

        process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            out, errors = await process.communicate()

    assert process.returncode == 0
    assert out.decode().splitlines()[-1].startswith("The demo is over")
    assert not errors, errors.decode()
    assert not config.parent.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


async def test_a_demo_whose_reader_has_gone_ends() -> None:
    reading, writing = os.pipe()
    async with demo(stdout=writing) as process:
        os.close(writing)
        with os.fdopen(reading) as reader:
            line = "first"
            while line and LAST_HINT not in line:
                line = await asyncio.to_thread(reader.readline)
        async with asyncio.timeout(PATIENCE_S):
            _, errors = await process.communicate()

    assert process.returncode == 1
    assert not errors, errors.decode()


async def test_the_sample_that_is_suggested_opens_an_incident() -> None:
    async with demo() as process:
        suggested = (await hints(process))[-1].split()
        script = shutil.which("playwatch", path=Path(sys.executable).parent)
        assert script is not None
        publishing = await asyncio.create_subprocess_exec(
            script, *suggested[1:], stdout=asyncio.subprocess.DEVNULL
        )
        assert await publishing.wait() == 0
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while b"PagerDuty trigger" not in (line := await process.stdout.readline()):
                assert line, "the demo ended"
        process.send_signal(signal.SIGINT)
        await process.communicate()

    assert process.returncode == 0
