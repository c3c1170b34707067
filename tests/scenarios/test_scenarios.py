"""The examples under config/tests pass, and one that is made to fail says why."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from playwatch.config.scenarios.load import load_suite
from playwatch.runtime.scenarios.verdict import outcomes
from tests.processes import PLAYWATCH, finished
from tests.waiting import PATIENCE_S

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "config" / "tests").glob("*.yaml"))
FAILING = str(HERE / "failing.yaml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_passes(path: Path) -> None:
    failed = [one for one in outcomes(load_suite(path, environ={})) if not one.has_passed]

    assert [(one.name, one.failures) for one in failed] == []


async def test_the_console_script_runs_every_file_that_it_is_given() -> None:
    code, said = await finished("test", "rules", *map(str, EXAMPLES[:3]))

    assert code == 0
    assert said.count("passed\n") == 4
    assert "3 files, " in said


async def test_a_failure_shows_expected_and_got_and_what_happened() -> None:
    code, said = await finished("test", "rules", FAILING)

    assert code == 1
    assert f"{FAILING}:6: FAILED pages after two minutes" in said
    assert "line 10: incidents of rebuffering at 7m" in said
    assert "x   {cdn=fastly} open critical   nothing" in said
    assert "line 14: pages in 14m" in said
    assert "at 7m trigger to oncall   at 10m trigger to oncall" in said
    assert "+5m  rebuffering {cdn=fastly}  NORMAL => PENDING  8 %" in said
    assert "PENDING => OPEN  8 %: critical, > 5, 5m after the crossing" in said
    assert said.endswith("2 tests, 1 failed\n")


async def test_the_summary_for_machines_tells_the_same() -> None:
    code, said = await finished("test", "rules", "--json", FAILING)
    summary = json.loads(said)
    broken, quiet = summary["files"][0]["tests"]

    assert code == 1
    assert (summary["passed"], summary["failed"], summary["unreadable"]) == (1, 1, 0)
    assert not broken["passed"]
    assert broken["failures"][0]["rows"] == [
        {"expected": "{cdn=fastly} open critical", "got": "nothing", "met": False}
    ]
    assert broken["timeline"][0]["what"] == "NORMAL => PENDING  8 %"
    assert quiet == {"name": "stays quiet below the bound", "line": 15, "passed": True,
                     "failures": [], "timeline": []}  # fmt: skip


async def test_a_file_that_cannot_be_read_is_exit_2_and_the_others_are_run(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("rules: []\ntests: [{nam: x}]\n")

    code, said = await finished("test", "rules", str(wrong), FAILING, str(tmp_path / "absent.yaml"))

    assert code == 2
    assert f"{wrong}:2:10: tests.0.nam: is not a known key (did you mean name?)" in said
    assert "absent.yaml:1:1: cannot be read: No such file or directory" in said
    assert "2 tests, 1 failed" in said
    assert "3 files, 2 tests: 1 passed, 1 failed, 2 files cannot be read" in said


async def test_only_the_tests_that_are_asked_for_are_run() -> None:
    assert await finished("test", "rules", "--run", "Quiet", FAILING) == (
        0,
        f"{FAILING}: 1 test passed\n",
    )
    code, said = await finished("test", "rules", "--run", "no such", FAILING)
    assert code == 2
    assert "no test has 'no such' in its name" in said


async def test_ctrl_c_ends_a_long_run_in_one_sentence(tmp_path: Path) -> None:
    quick, endless = tmp_path / "quick.yaml", tmp_path / "endless.yaml"
    rule = '{name: r, metric: views, by: [a], trigger: "> 5"}'
    test = "{{name: t, exp_pages: [], interval: 1s, input_series: [{}]}}"
    quick.write_text(f"rules: [{rule}]\nchannels: [{{name: c}}]\ntests: [{test.format('')}]\n")
    series = ", ".join(
        f"{{series: 'views{{a=\"{number}\"}}', values: '1x100000'}}" for number in range(5)
    )
    endless.write_text(
        f"rules: [{rule}]\nchannels: [{{name: c}}]\ntests: [{test.format(series)}]\n"
    )
    process = await asyncio.create_subprocess_exec(
        PLAYWATCH, "test", "rules", str(quick), str(endless),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        first = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        process.send_signal(signal.SIGINT)
        rest = await asyncio.wait_for(process.stdout.read(), PATIENCE_S)
        code = await asyncio.wait_for(process.wait(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert first.decode() == f"{quick}: 1 test passed\n"
    assert rest.decode() == "playwatch: interrupted after 1 of 2 files\n"
    assert code == 130
