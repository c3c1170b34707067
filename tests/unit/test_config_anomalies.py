"""What the model watches, as people write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playwatch.config.anomalies import AUTOMATIC, everything_watched
from playwatch.config.load import load_config
from playwatch.config.show import effective_yaml
from playwatch.core.metric_kinds import metric_class
from playwatch.core.metrics import Catalogue, Metric, Worse
from playwatch.core.rules import AlertType, Anomaly, Rule, Severity
from playwatch.errors import ConfigError
from playwatch_models.classes import MetricClass

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "mqtt: {embedded: true}\n"
ENTRY = HEAD + "anomalies:\n  - name: a\n    metric: playback-failure-percentage\n"
"""The next line is line 5."""


def watched(folder: Path, text: str) -> tuple[Rule, ...]:
    path = folder / "playwatch.yaml"
    path.write_text(text)
    return everything_watched(load_config(path, environ={}))


def anomaly(rule: Rule) -> Anomaly:
    assert isinstance(rule.condition, Anomaly)
    return rule.condition


def test_without_the_key_every_percentage_is_watched_within_one_budget(tmp_path: Path) -> None:
    rules = watched(tmp_path, HEAD)

    metrics = {rule.metric for rule in rules}
    assert {"playback_failure_percentage", "rebuffer_percentage"} <= metrics
    assert "video_startup_time" not in metrics
    assert all(rule.name == f"{AUTOMATIC}{rule.metric}" for rule in rules)
    assert {anomaly(rule).pool for rule in rules} == {AUTOMATIC}
    assert {anomaly(rule).groupings for rule in rules} == {None}


@pytest.mark.parametrize("text", ["anomalies: []\n", ENTRY[len(HEAD) :] + "    enabled: false\n"])
def test_an_empty_list_or_an_entry_that_is_off_watches_nothing(tmp_path: Path, text: str) -> None:
    assert watched(tmp_path, HEAD + text) == ()


def test_an_entry_has_the_defaults_of_the_manual(tmp_path: Path) -> None:
    (rule,) = watched(tmp_path, ENTRY)

    assert rule.alert_type is AlertType.ANOMALY
    assert rule.condition == Anomaly(1.0, None, Severity.CRITICAL, 20.0)
    assert (rule.window_s, rule.for_s, rule.resolve_for_s) == (60.0, 0.0, 0.0)
    assert rule.flap_within_s == 300.0


@pytest.mark.parametrize(
    ("written", "per_week"),
    [("1 per week", 1.0), ("3 per day", 21.0), ("3 a month", 0.7), ("0.5 per week", 0.5)],
)
def test_a_budget_is_false_pages_in_a_time(tmp_path: Path, written: str, per_week: float) -> None:
    (rule,) = watched(tmp_path, f"{ENTRY}    budget: {written}\n")

    assert anomaly(rule).budget_per_week == pytest.approx(per_week)


def budgets(folder: Path, *written: str, fleet: str) -> list[float]:
    entries = "".join(
        f"  - name: a{number}\n    metric: playback-failure-percentage\n    budget: {one}\n"
        for number, one in enumerate(written)
    )
    rules = watched(folder, HEAD + fleet + "anomalies:\n" + entries)
    return [anomaly(rule).budget_per_week for rule in rules]


def test_the_budget_of_the_fleet_caps_those_of_its_entries_in_proportion(tmp_path: Path) -> None:
    asked = ("3 per week", "1 per week")

    assert budgets(tmp_path, *asked, fleet="fleet_budget: 2 per week\n") == [1.5, 0.5]
    assert budgets(tmp_path, *asked, fleet="fleet_budget: 9 per week\n") == [3, 1]
    assert budgets(tmp_path, *asked, fleet="") == [3, 1]


def test_the_budget_of_the_fleet_holds_without_entries_too(tmp_path: Path) -> None:
    rules = watched(tmp_path, HEAD + "fleet_budget: 3 per week\n")

    assert {anomaly(rule).budget_per_week for rule in rules} == {3.0}


def test_a_fleet_budget_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        watched(tmp_path, HEAD + "fleet_budget: a lot\n")

    (problem,) = caught.value.problems
    assert (problem.line, problem.message) == (2, "'a lot' is not a budget")


def test_all_of_it_can_be_written_and_shown_again(tmp_path: Path) -> None:
    text = ENTRY + (
        "    where: {property: sports, cdn: '!akamai'}\n"
        "    by: [[], [country], [cdn, country]]\n"
        "    budget: 2 per day\n"
        "    interval: 5m\n"
        "    min_affected_views: 50\n"
        "    for: 2m\n"
        "    resolve_for: 10m\n"
        "    severity: warning\n"
        "    flap: {within: 1h}\n"
        "    active: {days: [mon-fri], time_zone: UTC}\n"
        "    summary: 'Failures {value:.1f} %, {expected:.1f} % is normal'\n"
        "    runbook: https://example.com\n"
        "    on_edit: close\n"
        "    expire_after: 2h\n"
    )
    path = tmp_path / "playwatch.yaml"
    path.write_text(text)
    settings = load_config(path, environ={})
    path.write_text(effective_yaml(settings))

    assert everything_watched(load_config(path, environ={})) == everything_watched(settings)
    (rule,) = everything_watched(settings)
    assert anomaly(rule).groupings == ((), ("country",), ("cdn", "country"))
    assert rule.by == ("country", "cdn")


MISTAKES = [
    ("    by: [country]\n", 5, "must be a list of dimensions (write [country], and [] for every"),
    ("    by: country\n", 5, "must be a list of lists"),
    ("    by: []\n", 5, "names no grouping"),
    ("    by: [[a, a]]\n", 5, "'a' is named twice"),
    ("    by: [[a, b], [b, a]]\n", 5, "[b, a] is named twice"),
    ("    budget: 1\n", 5, "'1' is not a budget"),
    ("    budget: weekly\n", 5, "write 1 per week"),
    ("    budget: 0 per week\n", 5, "must be from 0.01 to 1000 per week"),
    ("    severity: fatal\n", 5, "must be"),
    ("    sensitivity: high\n", 5, "is not a known key"),
    ("    summary: 'in {country}'\n", 5, "neither a known field nor a dimension"),
    ("    resolve_for: 5\n", 5, "has no unit"),
    ("    trigger: '> 5'\n", 5, "is not a known key"),
]


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        watched(tmp_path, ENTRY + text)

    (problem,) = caught.value.problems
    assert problem.line == line
    assert words in f"{problem.message} ({problem.hint})"


def test_a_rule_and_an_anomaly_cannot_share_a_name(tmp_path: Path) -> None:
    text = ENTRY + "rules:\n  - {name: a, metric: rebuffer_percentage, trigger: '> 5'}\n"

    with pytest.raises(ConfigError, match="'a' names another rule already"):
        watched(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("playback_failure_percentage", MetricClass.RATIO),
        ("rebuffer_percentage", MetricClass.RATIO),
        ("current_rebuffering_percentage", MetricClass.RATIO),
        ("video_startup_time", MetricClass.MEDIAN),
        ("upscale_percentage", MetricClass.MEDIAN),
        ("views", MetricClass.COUNT),
        ("current_concurrent_viewers", MetricClass.COUNT),
    ],
)
def test_a_metric_says_what_kind_of_number_it_is(key: str, kind: MetricClass) -> None:
    metric = Catalogue().find(key)
    assert metric is not None

    assert metric_class(metric) is kind


def test_what_can_be_negative_is_a_gauge() -> None:
    assert metric_class(Metric("drift", "s", Worse.EITHER, low=-10.0)) is MetricClass.GAUGE
