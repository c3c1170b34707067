"""Findings: what the schema accepts and is certainly not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playwatch.config.check import findings
from playwatch.config.load import load_config

if TYPE_CHECKING:
    from pathlib import Path

TERMINAL = "channels:\n  - {name: terminal, service: console}\n"
HEAD = "mqtt: {embedded: true}\n" + TERMINAL + "rules:\n"
FAILURES = "metric: playback_failure_percentage, trigger: '> 5'"
VIEWERS = "metric: current_concurrent_viewers"


def found(folder: Path, text: str) -> list[str]:
    path = folder / "playwatch.yaml"
    path.write_text(text)
    settings = load_config(path, environ={})
    return [f"{each.line}:{each.column} {each.message}" for each in findings(settings)]


RULES = [
    (
        f"{FAILURES}, where: {{cdn: [a, b, '!b']}}",
        "where asks for cdn b and excludes it",
    ),
    (
        f"{FAILURES}, where: {{cdn: ['live-*', '!live-*']}}",
        "matches no series: where excludes every cdn it asks for",
    ),
    (
        f"{FAILURES}, where: {{cdn: [a, '!*']}}",
        "matches no series: where excludes every cdn it asks for",
    ),
    (
        "metric: rebuffer_percentage, trigger: {warning: '> 5', critical: '> 5'}",
        "warning is never seen: critical has the same bound",
    ),
    (
        f"{VIEWERS}, trigger: '< 100', min_views: 100",
        "critical can never fire: fewer than min_views 100 viewers open nothing",
    ),
    (
        f"{VIEWERS}, trigger: '> 1000', min_views: 5000",
        "can never resolve: fewer than min_views 5000 viewers resolve nothing",
    ),
    (
        f"{FAILURES}, expire_after: 5m, no_data: {{policy: resolve, after: 10m}}",
        "no_data never resolves: an incident without data expires before",
    ),
]


@pytest.mark.parametrize(("rule", "words"), RULES)
def test_a_rule_that_cannot_do_what_it_says_is_found(tmp_path: Path, rule: str, words: str) -> None:
    assert found(tmp_path, f"{HEAD}  - {{name: a, {rule}}}\n") == [f"5:12 {words}"]


@pytest.mark.parametrize(
    "rule",
    [
        f"{FAILURES}, where: {{cdn: [a, b, '!c']}}",
        f"{FAILURES}, where: {{title: ['live-*', '!live-test']}}",
        f"{VIEWERS}, trigger: '< 100', min_views: 99",
        f"{VIEWERS}, trigger: '> 1000', min_views: 50",
        f"{FAILURES}, for: 2h, expire_after: 1h",
    ],
)
def test_a_rule_that_only_looks_odd_is_left_alone(tmp_path: Path, rule: str) -> None:
    assert found(tmp_path, f"{HEAD}  - {{name: a, {rule}}}\n") == []


def test_rules_that_differ_in_their_minimum_are_not_the_same(tmp_path: Path) -> None:
    text = f"{HEAD}  - {{name: a, {FAILURES}}}\n  - {{name: b, {FAILURES}, min_views: 100}}\n"

    assert found(tmp_path, text) == []


CHANNELS = [
    ("alert_types: threshold", "4:12 no channel is told when the engine itself is in trouble"),
    ("rules: other", "4:12 takes no incident that a rule can raise"),
    ("metrics: rebuffer_percentage", "4:12 takes no incident that a rule can raise"),
    (
        "where: {cdn: fastly}",
        "4:12 where filters by cdn, which no rule that it hears groups by: it lets nothing pass",
    ),
    (
        "where: {cdn: '!fastly'}",
        "4:12 where filters by cdn, which no rule that it hears groups by: it holds nothing back",
    ),
    ("where: {country: US}", "4:12 takes no incident that a rule can raise"),
    ("where: {country: DE}", None),
    ("where: {city: berlin}", None),
    ("min_severity: critical", None),
]


@pytest.mark.parametrize(("setting", "words"), CHANNELS)
def test_a_channel_that_no_rule_reaches_is_found(
    tmp_path: Path, setting: str, words: str | None
) -> None:
    text = (
        "mqtt: {embedded: true}\n"
        f"rules: [{{name: a, {FAILURES}, by: [country, city], where: {{country: DE}}}}]\n"
        "channels:\n"
        f"  - {{name: c, service: console, {setting}}}\n"
        "anomalies: []\n"
    )

    assert found(tmp_path, text) == ([words] if words else [])


@pytest.mark.parametrize(
    ("anomalies", "setting", "words"),
    [
        ("", "alert_types: anomaly, self_alerts: true", ""),
        ("", "where: {cdn: fastly}", ""),
        ("", "metrics: rebuffer_percentage", ""),
        ("", "alert_types: threshold, self_alerts: true, where: {cdn: x}", "filters by cdn"),
        ("by: [[], [cdn]]", "where: {cdn: fastly}", ""),
        ("by: [[], [cdn]]", "where: {asn: '7'}", "filters by asn"),
    ],
)
def test_what_the_model_raises_counts_for_channels_too(
    tmp_path: Path, anomalies: str, setting: str, words: str
) -> None:
    text = (
        "mqtt: {embedded: true}\n"
        f"rules: [{{name: a, {FAILURES}, by: [country]}}]\n"
        f"channels: [{{name: c, service: console, {setting}}}]\n"
    )
    if anomalies:
        text += f"anomalies: [{{name: b, metric: rebuffer_percentage, {anomalies}}}]\n"

    said = " ".join(one for one in found(tmp_path, text) if "channel c" in one or "where" in one)
    assert words in said
    assert bool(words) == bool(said)


def test_a_rule_that_nobody_hears_is_found(tmp_path: Path) -> None:
    text = (
        "mqtt: {embedded: true}\n"
        "channels: [{name: c, service: console, min_severity: error}]\n"
        "rules:\n"
        f"  - {{name: a, {FAILURES}}}\n"
        "  - {name: b, metric: rebuffer_percentage, trigger: {warning: '> 5'}}\n"
    )

    assert found(tmp_path, text) == ["5:12 no channel takes its incidents: nobody is told"]


def test_two_channels_to_one_place_are_found(tmp_path: Path) -> None:
    text = (
        "mqtt: {embedded: true}\n"
        "channels: [{name: c, service: console}, {name: d, service: console}]\n"
        f"rules: [{{name: a, {FAILURES}}}]\n"
    )

    assert found(tmp_path, text) == ["2:48 says everything that channel c says, at the same place"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("{rule: a, country: DE}", []),
        ("{rule: '*'}", []),
        ("{severity: critcal}", ["severity"]),
        ("{rule: b}", ["rule"]),
        ("{metric: '!playback_failure_percentage'}", ["metric"]),
    ],
)
def test_a_mute_window_that_mutes_nothing_is_found(
    tmp_path: Path, where: str, words: list[str]
) -> None:
    window = f"{{name: w, where: {where}, hours: '02:00-03:00', time_zone: UTC}}"
    text = f"{HEAD}  - {{name: a, {FAILURES}}}\nmute:\n  - {window}\nanomalies: []\n"

    assert found(tmp_path, text) == [
        f"7:12 mutes nothing: no rule raises an incident with such a {word}" for word in words
    ]


def test_without_secrets_an_unset_variable_passes_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "playwatch.yaml"
    path.write_text(
        "mqtt: {url: '${U}', backlog: '${B}', keepalive: '${K}', subscriptions: [{topic: a, qos:"
        " '${Q}', quiet_after: '${S}'}]}\n"
        f"rules: [{{name: a, {FAILURES}, runbook: '${{R}}', for: '${{F}}'}}]\n"
        "channels:\n"
        "  - {name: p, service: pagerduty, integration_key: '${KEY}', region: '${G}',"
        " url: '${PAGERDUTY_URL}', self_alerts: '${A}'}\n"
    )

    settings = load_config(path, environ={}, need_secrets=False)

    assert (settings.mqtt.url, settings.mqtt.backlog) == ("${U}", 100_000)
    assert settings.mqtt.subscriptions[0].qos == 1
    assert settings.channels[0].self_alerts
    assert findings(settings) == []
