"""Recordings teach the model, and `model` shows what it knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from playwatch.cli import app
from playwatch.core.metrics import Merge
from playwatch.core.series import canonical_dimensions
from playwatch.store.history import History
from playwatch.store.history_blocks import Rows

if TYPE_CHECKING:
    from pathlib import Path

START = 1_800_000_000_000 // 60_000 * 60_000
FAULT = range(170, 180)
RULE = "anomaly/playback_failure_percentage"
CONFIG = "mqtt: {embedded: true}\nstore: {path: playwatch.db}\n"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hours of six series; at the end one CDN fails in one country."""
    dice = np.random.default_rng(7)
    lines = []
    for minute in range(200):
        for country in ("DE", "SE", "BR"):
            for cdn in ("akamai", "fastly"):
                is_bad = minute in FAULT and (country, cdn) == ("DE", "fastly")
                views = int(dice.poisson(300))
                failed = int(dice.binomial(views, 0.15 if is_bad else 0.01))
                sample = {
                    "metric": "playback_failure_percentage",
                    "at": START + minute * 60_000,
                    "value": 100 * failed / views,
                    "views": views,
                    "dimensions": {"country": country, "cdn": cdn},
                }
                lines.append(json.dumps(sample))
    path: Path = tmp_path_factory.mktemp("week") / "week.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "playwatch.yaml"
    path.write_text(CONFIG)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def document(*words: object) -> Any:  # noqa: ANN401 - JSON
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_what_was_learned_is_there_at_the_next_start(week: Path, config: Path) -> None:
    told = document("train", week, "-c", config)
    (lesson,) = told["rules"]

    assert (lesson["rule"], lesson["groups"], lesson["judged"]) == (RULE, 6, 6)
    assert told["is_kept"]
    (page,) = lesson["would_page"]
    (cause,) = page["causes"]
    assert cause["breakdowns"] == {"country": "DE", "cdn": "fastly"}
    assert lesson["did_page"] == []

    listed = document("model", "list", "-c", config)
    (state,) = [one for one in listed["watched"] if one["groups"]]
    assert (state["rule"], state["judged"], state["learning"]) == (RULE, 6, 0)
    assert state["groupings"] == [[], ["cdn"], ["country"]]
    assert state["why_not"] == ""


def test_a_trial_leaves_the_store_alone(week: Path, config: Path) -> None:
    told = document("train", week, "-c", config, "--dry-run")

    assert len(told["rules"][0]["would_page"]) == 1
    assert not (config.parent / "playwatch.db").exists()


def test_training_again_replaces_what_was_known(week: Path, config: Path) -> None:
    first, second = (document("train", week, "-c", config) for _ in range(2))

    assert first["rules"][0]["intervals"] == second["rules"][0]["intervals"]


def test_a_rule_shows_the_band_of_every_group(week: Path, config: Path) -> None:
    run("train", week, "-c", config)
    groups = document("model", "show", RULE, "-c", config)

    (everything,) = [one for one in groups if not one["breakdowns"]]
    assert everything["low"] < everything["expected"] < everything["high"]
    assert everything["expected"] == pytest.approx(1.0, abs=0.3)
    assert {one["state"] for one in groups} <= {"normal", "open"}
    assert "everything" in run("model", "show", RULE, "-c", config).stdout


def test_a_name_that_is_not_known_gets_a_suggestion(week: Path, config: Path) -> None:
    run("train", week, "-c", config)
    result = run("model", "show", RULE + "s", "-c", config)

    assert result.exit_code == 2
    assert f"did you mean {RULE}?" in result.stderr


def test_with_nothing_to_learn_it_says_so(week: Path, config: Path) -> None:
    config.write_text(CONFIG + "anomalies: []\n")
    result = run("train", week, "-c", config)

    assert isinstance(result.exception, Exception)
    assert "nothing is to be learned" in str(result.exception)


def test_after_a_few_minutes_no_group_counts_as_judged(
    week: Path, config: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(week.read_text().splitlines()[:60]))
    told = document("train", few, "-c", config, "--dry-run")

    (lesson,) = told["rules"]
    assert (lesson["groups"], lesson["judged"]) == (6, 0)


def test_a_file_of_mistakes_names_them_though_nothing_is_learned(
    config: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"metric": "playback_failure_percentage", "value": "much"}\n')
    result = run("train", bad, "-c", config, "--dry-run")

    assert "there is no sample of a metric that is watched" in str(result.exception)
    assert "bad.jsonl:1" in result.stderr


def test_a_metric_that_nothing_watches_is_named_with_the_reason(
    week: Path, config: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.jsonl"
    sample = {"metric": "video_startup_time", "at": START, "value": 900, "views": 10}
    other.write_text(json.dumps(sample) + "\n")
    run("train", week, other, "-c", config)

    (one,) = document("model", "list", "-c", config)["unwatched"]
    assert one["metric"] == "video_startup_time"
    assert "name it under anomalies" in one["why"]


@pytest.fixture
def kept(week: Path, config: Path) -> None:
    """Keep the same hours as an engine would have."""
    history = History.open(config.with_name("playwatch-history.db"))
    for line in week.read_text().splitlines():
        sample = json.loads(line)
        names = canonical_dimensions(sample["dimensions"])
        ids = history.ids(sample["metric"], Merge.MEAN, [names])
        history.write(Rows.of(ids, [sample["at"] // 60_000], [sample["value"]], [sample["views"]]))
    history.close()


@pytest.mark.usefixtures("kept")
def test_kept_history_teaches_as_a_recording_does(week: Path, config: Path) -> None:
    recorded = document("train", week, "-c", config, "--dry-run")
    told = document("train", "-c", config)

    assert told["is_kept"]
    assert told["samples"] == recorded["samples"]
    (lesson,), (other,) = told["rules"], recorded["rules"]
    assert lesson["judged"] == other["judged"] == 6
    # Samples on the minute end an interval; those of the history stand in the middle of one.
    assert 0 <= lesson["intervals"] - other["intervals"] <= lesson["groups"]
    (page,) = lesson["would_page"]
    assert page["causes"][0]["breakdowns"] == {"country": "DE", "cdn": "fastly"}
    (state,) = [one for one in document("model", "list", "-c", config)["watched"] if one["groups"]]
    assert state["judged"] == 6


@pytest.mark.usefixtures("kept")
def test_only_the_last_of_the_history_is_learned_from_when_asked(config: Path) -> None:
    told = document("train", "--history", "--last", "2h", "-c", config, "--dry-run")

    assert told["samples"] == 120 * 6


@pytest.mark.usefixtures("kept")
def test_a_rule_quicker_than_the_history_says_so(config: Path) -> None:
    config.write_text(
        CONFIG + "anomalies: [{name: quick, metric: playback_failure_percentage, interval: 5s}]\n"
    )
    result = run("train", "-c", config, "--dry-run")

    assert "rule quick looks every 5 s and the history keeps minutes" in result.stderr


def test_without_a_history_or_with_two_sources_it_says_what_to_do(week: Path, config: Path) -> None:
    missing = run("train", "-c", config)
    both = run("train", week, "--history", "-c", config)

    assert "start an engine that keeps one first" in str(missing.exception)
    assert (both.exit_code, "not both" in both.stderr) == (2, True)
