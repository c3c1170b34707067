"""What a rule can say beyond its bounds, and each mistake in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from playwatch.config.load import load_config
from playwatch.config.show import effective_yaml
from playwatch.core.hours import ActiveHours
from playwatch.core.rules import Aggregate, NoData, NoDataPolicy, OnEdit
from playwatch.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.core.rules import Rule

HEAD = "mqtt: {embedded: true}\nrules:\n  - name: a\n    trigger: '> 5'\n"
FAILURES = "    metric: playback_failure_percentage\n"


def rule_of(folder: Path, text: str) -> Rule:
    path = folder / "playwatch.yaml"
    path.write_text(HEAD + text)
    (rule,) = load_config(path, environ={}).core_rules()
    return rule


def test_by_default_a_rule_uses_none_of_it(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, FAILURES)

    assert rule.aggregate is None
    assert rule.confidence == 0
    assert rule.no_data == NoData(NoDataPolicy.KEEP, 300)
    assert rule.flap_within_s == 0
    assert rule.active is None
    assert rule.on_edit is OnEdit.KEEP
    assert not rule.repage_on_rise


def test_all_of_it_can_be_written_in_one_rule_and_shown_again(tmp_path: Path) -> None:
    text = FAILURES + (
        "    aggregate: mean\n    confidence: 0.95\n    no_data: {policy: open, after: 10m}\n"
        "    flap: {within: 10m}\n    repage_on_rise: true\n    on_edit: close\n"
        "    active: {days: [mon-fri], hours: '08:00-23:00', time_zone: Europe/Stockholm}\n"
    )
    rule = rule_of(tmp_path, text)

    assert rule.aggregate is Aggregate.MEAN
    assert rule.confidence == 0.95
    assert rule.no_data == NoData(NoDataPolicy.OPEN, 600)
    assert rule.flap_within_s == 600
    assert rule.active == ActiveHours(ZoneInfo("Europe/Stockholm"), frozenset(range(5)), 480, 1380)
    assert rule.on_edit is OnEdit.CLOSE
    assert rule.repage_on_rise
    path = tmp_path / "shown.yaml"
    path.write_text(effective_yaml(load_config(tmp_path / "playwatch.yaml", environ={})))
    assert load_config(path, environ={}).core_rules() == (rule,)


def test_no_data_can_be_one_word_and_waits_for_a_long_window(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, FAILURES + "    window: 10m\n    no_data: resolve\n")

    assert rule.no_data == NoData(NoDataPolicy.RESOLVE, 600)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("[sat, sun]", {5, 6}), ("[fri-mon]", {4, 5, 6, 0}), ("[mon-wed, SUN]", {0, 1, 2, 6})],
)
def test_days_are_a_list_of_days_and_spans(
    tmp_path: Path, written: str, expected: set[int]
) -> None:
    rule = rule_of(tmp_path, FAILURES + f"    active: {{time_zone: UTC, days: {written}}}\n")

    assert rule.active is not None
    assert rule.active.days == expected


def test_another_aggregate_is_another_scope(tmp_path: Path) -> None:
    mean, greatest = (
        rule_of(tmp_path, FAILURES + f"    aggregate: {name}\n") for name in ("mean", "max")
    )

    assert mean.scope != greatest.scope


LATENCY = "    metric: video_startup_time\n"
MISTAKES = [
    (LATENCY + "    confidence: 0.95\n", 6, "is not a share of views"),
    (FAILURES + "    aggregate: max\n    confidence: 0.95\n", 7, "not on max"),
    (FAILURES + "    confidence: 0.3\n", 6, "must be at least 0.5"),
    (FAILURES + "    confidence: 1\n", 6, "less than 1"),
    (FAILURES + "    confidence: 95%\n", 6, "is not a number"),
    (FAILURES + "    aggregate: sum\n", 6, "cannot be added up"),
    (FAILURES + "    aggregate: median\n", 6, "must be"),
    (FAILURES + "    no_data: alert\n", 6, "must be"),
    (FAILURES + "    window: 5m\n    no_data: {policy: open, after: 1m}\n", 7, "still holds data"),
    (FAILURES + "    flap: 10m\n", 6, "must be a mapping"),
    (FAILURES + "    flap: {}\n", 6, "is missing"),
    (FAILURES + "    active: {hours: '08:00-23:00'}\n", 6, "is missing"),
    (FAILURES + "    active: {time_zone: Europe/Stokholm}\n", 6, "not a known time zone"),
    (FAILURES + "    active: {time_zone: UTC, hours: 8-23}\n", 6, "is not a span of hours"),
    (FAILURES + "    active: {time_zone: UTC, hours: '08:00-25:00'}\n", 6, "does not exist"),
    (FAILURES + "    active: {time_zone: UTC, hours: '08:00-08:00'}\n", 6, "no time at all"),
    (FAILURES + "    active: {time_zone: UTC, days: [monday]}\n", 6, "'monday' is no day"),
    (FAILURES + "    active: {time_zone: UTC, days: mon}\n", 6, "is not a list of days"),
    (FAILURES + "    on_edit: reopen\n", 6, "must be"),
    (FAILURES + "    repage_on_rise: 1\n", 6, "is neither true nor false"),
]


@pytest.mark.parametrize(("text", "line", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        rule_of(tmp_path, text)

    (problem,) = caught.value.problems
    assert problem.line == line
    assert message in f"{problem.message} {problem.hint}"
