"""Small commands of the console script."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from playwatch import __version__
from tests.brokers import Mosquitto, free_port, needs_mosquitto
from tests.processes import finished, from_nothing, playwatch

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_version_is_printed() -> None:
    async with from_nothing("--version") as process:
        assert await process.exit_code() == 0

    assert process.said == f"playwatch {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    heavy = {"numpy", "sklearn", "bokeh", "aiohttp", "amqtt", "gmqtt", "aiosqlite", "pydantic"}
    script = f"import sys, playwatch.cli; print(sorted({heavy!r} & set(sys.modules)))"

    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )

    assert result.stdout == "[]\n"


async def test_all_mistakes_of_a_configuration_are_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text(
        "mqtt: {url: mqtt://localhost}\n"
        "rules:\n"
        "  - name: one\n"
        "    metric: playback_failures_percentage\n"
        '    trigger: "> 5"\n'
        "  - name: one\n"
        "    metric: playback_failure_percentage\n"
        '    triger: "> 5"\n'
    )

    code, said = await finished("check", "config", str(config))

    assert code == 1
    assert f"{config}:4:13:" in said
    assert "playback_failure_percentage" in said
    assert f"{config}:8:5:" in said
    assert "trigger" in said


async def test_the_mistakes_of_a_configuration_are_listed_for_scripts(tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text("mqtt: {url: mqtt://localhost}\nrulez: []\n")

    code, said = await finished("check", "config", str(config), "--json")

    (mistake,) = json.loads(said)["mistakes"]
    assert code == 1
    assert (mistake["file"], mistake["line"], mistake["column"]) == (str(config), 2, 1)
    assert mistake["hint"] == "did you mean rules?"


async def test_publishing_without_a_broker_is_one_sentence_and_exit_2() -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"

    code, said = await finished("publish", "--url", url, "--metric=views", "--value=1")

    assert code == 2
    assert said.count("\n") == 1
    assert url in said


@needs_mosquitto
async def test_a_file_is_packed_and_its_series_are_announced(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    one = '{"metric": "playback_failure_percentage", "value": 9, "dimensions": {"country": "%s"}}'
    samples.write_text("\n".join(one % country for country in ("DE", "SE", "DE")))
    (tmp_path / "broker").mkdir()
    async with Mosquitto(tmp_path / "broker") as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        code, said = await finished("publish", "--packed", str(samples), "--url", url)
        wrong, told = await finished("publish", "--packed", "--metric=views", "--value=1")

    assert (code, said.count("2 messages acknowledged")) == (0, 1), said
    assert wrong == 2
    assert "--packed" in told


async def test_the_stand_in_tells_where_it_listens_and_ends_on_sigterm() -> None:
    async with playwatch("stand-in", "--listen", f"127.0.0.1:{free_port()}") as stand_in:
        await stand_in.wait_to_say("/v2/enqueue")
        assert await stand_in.end() == 0
