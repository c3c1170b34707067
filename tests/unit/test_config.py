"""One mistake, one place, plain words; and what a good file means."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from playwatch.config.check import findings
from playwatch.config.files import SIZE_LIMIT
from playwatch.config.load import load_config
from playwatch.config.schema import (
    ConsoleSettings,
    MqttSettings,
    PagerDutySettings,
    WebSettings,
)
from playwatch.config.show import effective, effective_yaml, json_schema
from playwatch.core.metrics import Merge, Worse
from playwatch.core.rules import Bound, Comparison, Matcher, Severity, Threshold, Tier
from playwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.config.schema import Settings
    from playwatch.core.rules import Rule
    from playwatch.errors import Problem

ROOT = Path(__file__).parents[2]
KEY = "R0123456789ABCDEFGHIJKLMNOPQRSTU"
SECRET = "hunter2-hunter2"  # noqa: S105 - an invented one

BROKER = "mqtt: {embedded: true}\n"
RULE = BROKER + "rules:\n  - name: a\n    metric: playback_failure_percentage\n"
"""The next line is line 5; keys start in column 5."""


def loaded(
    folder: Path, text: str, environ: Mapping[str, str] | None = None, *, need_secrets: bool = True
) -> Settings:
    path = folder / "playwatch.yaml"
    path.write_text(text)
    return load_config(path, environ=environ or {}, need_secrets=need_secrets)


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, environ)
    return caught.value.problems


def only_rule(folder: Path, rest: str) -> Rule:
    (rule,) = loaded(folder, RULE + rest).core_rules()
    return rule


SIXTEEN = "sixteen-are-four"

MISTAKES = [
    # The file as a whole.
    ("", 1, 1, "", "the file is empty"),
    ("# nothing yet\n", 1, 1, "", "the file is empty"),
    ("[1]", 1, 1, "", "must be a mapping of keys to values"),
    ("rules: []", 1, 1, "mqtt", "is missing"),
    (BROKER + "stroe: {}", 2, 1, "stroe", "is not a known key (did you mean store?)"),
    (BROKER + "5: x", 2, 1, "5", "is not a known key"),
    # MQTT.
    ("mqtt:", 1, 6, "mqtt", "has no value: it must be a mapping"),
    ("mqtt: {}", 1, 7, "mqtt.embedded", "no broker is named"),
    ("mqtt: {url: mqtt://h, embedded: true}", 1, 33, "mqtt.embedded", "exclude each other"),
    ("mqtt: {embedded: yes}", 1, 18, "mqtt.embedded", "'yes' is neither true nor false"),
    ("mqtt: {url: http://h}", 1, 13, "mqtt.url", "must start with mqtt:// or mqtts://"),
    ("mqtt: {url: 'mqtt://u:p@h'}", 1, 13, "mqtt.url", "must not hold a user name"),
    ("mqtt: {url: 'mqtt://h:99999'}", 1, 13, "mqtt.url", "is not a URL with a host"),
    ("mqtt: {url: 'mqtt://'}", 1, 13, "mqtt.url", "must be a host and a port"),
    ("mqtt: {url: 'mqtt://h', listen: 'localhost:1'}", 1, 33, "mqtt.listen", "only the embedded"),
    ("mqtt: {embedded: true, listen: '0.0.0.0:1'}", 1, 32, "mqtt.listen", "other machines"),
    ("mqtt: {url: 'mqtt://h', tls: {}}", 1, 30, "mqtt.tls", "has no effect"),
    ("mqtt: {embedded: true, keepalive: 30}", 1, 35, "mqtt.keepalive", "30 has no unit"),
    ("mqtt: {embedded: true, keepalive_s: 30s}", 1, 24, "mqtt.keepalive_s", "mean keepalive?"),
    ("mqtt: {embedded: true, backlog: 0}", 1, 33, "mqtt.backlog", "must be at least 1"),
    ("mqtt: {embedded: true, backlog: 1_000}", 1, 33, "mqtt.backlog", "not a whole number"),
    ("mqtt: {embedded: true, protocol: 4}", 1, 34, "mqtt.protocol", "must be '5' or '3.1.1'"),
    ("mqtt: {embedded: true, client_id: 7}", 1, 35, "mqtt.client_id", "7 is a number"),
    ("mqtt: {embedded: true, subscriptions: []}", 1, 39, "mqtt.subscriptions", "no topic"),
    (
        "mqtt: {embedded: true, subscriptions: [{topic: 'a/#/b'}]}",
        1, 48, "mqtt.subscriptions.0.topic", "'#' must be the whole last level",
    ),
    (
        "mqtt: {embedded: true, subscriptions: [{topic: a+}]}",
        1, 48, "mqtt.subscriptions.0.topic", "'+' must be a whole level",
    ),
    (
        "mqtt: {embedded: true, subscriptions: [{topic: a, qos: 2}]}",
        1, 56, "mqtt.subscriptions.0.qos", "must be 0 or 1, not '2'",
    ),
    (
        "mqtt: {embedded: true, subscriptions: [{topic: a}, {topic: a}]}",
        1, 60, "mqtt.subscriptions.1.topic", "'a' is subscribed to twice",
    ),
    # Web, limits, metrics.
    (BROKER + "web: {listen: 0.0.0.0:8080}", 2, 15, "web.listen", "there are no access tokens"),
    (
        BROKER + f"web: {{tokens: [{{id: a, secret: {SIXTEEN}}}, {{id: a, secret: {SIXTEEN}}}]}}",
        2, 56, "web.tokens.1.id", "'a' is taken",
    ),
    (
        BROKER + f"web: {{tokens: [{{id: a b, secret: {SIXTEEN}}}]}}",
        2, 21, "web.tokens.0.id", "not an id",
    ),
    (
        BROKER + "web: {tokens: [{id: a, secret: short}]}",
        2, 32, "web.tokens.0.secret", "at least 16",
    ),
    (BROKER + "web: {tls: {cert_file: a.pem}}", 2, 12, "web.tls.key_file", "is missing"),
    (BROKER + "web: {listen: 8080}", 2, 15, "web.listen", "'8080' is not an address"),
    (BROKER + "limits: {max_age: 30d}", 2, 19, "limits.max_age", "must be at most 7d"),
    (BROKER + "limits: {max_payload: 1GiB}", 2, 23, "limits.max_payload", "at most 256MiB"),
    (BROKER + "metrics: [{key: views}]", 2, 17, "metrics.0.key", "is in the catalogue already"),
    (BROKER + "metrics: [{key: a b}]", 2, 17, "metrics.0.key", "'a b' is not a key"),
    (BROKER + "metrics: [{key: a, low: 5, high: 5}]", 2, 34, "metrics.0.high", "no value is valid"),
    (
        BROKER + "metrics: [{key: a, merge: sum, proportion: true}]",
        2, 44, "metrics.0.proportion", "(merge says otherwise)",
    ),
    (BROKER + "metrics: [{key: a}, {key: a}]", 2, 27, "metrics.1.key", "names another metric"),
    # Rules.
    (RULE, 3, 5, "rules.0.trigger", "is missing"),
    (BROKER + "rules: [{name: 5, metric: views, trigger: '< 9'}]", 2, 16, "rules.0.name", "5 is a"),
    (BROKER + "rules: [{name: a b, metric: views, trigger: <9}]", 2, 16, "rules.0.name", "'a b'"),
    (
        BROKER + "rules: [{name: a, metric: veiws, trigger: '< 9'}]",
        2, 27, "rules.0.metric", "'veiws' is not a known metric (did you mean views?)",
    ),
    (RULE + "    trigger: 5", 5, 14, "rules.0.trigger", "'5' is not a bound (write a comparison"),
    (RULE + "    trigger: '> 1e999'", 5, 14, "rules.0.trigger", "too great"),
    (RULE + "    trigger: {}", 5, 14, "rules.0.trigger", "names no level"),
    (RULE + "    trigger: {huge: '> 5'}", 5, 15, "rules.0.trigger.huge", "not 'huge'"),
    (
        RULE + "    trigger: '> 500'",
        5, 14, "rules.0.trigger", "> 500 can never be true: playback_failure_percentage is 0-100",
    ),
    (RULE + "    trigger: '> 100'", 5, 14, "rules.0.trigger", "can never be true"),
    (RULE + "    trigger: '>= 0'", 5, 14, "rules.0.trigger", "is always true"),
    (
        RULE + "    trigger: {warning: '> 5', critical: '> 3'}",
        5, 41, "rules.0.trigger.critical", "critical at > 3 is reached before warning at > 5",
    ),
    (
        RULE + "    trigger: {warning: '> 5', critical: '>= 7'}",
        5, 41, "rules.0.trigger.critical", "every level uses the same comparison",
    ),
    (
        RULE + "    trigger: '> 5'\n    resolve: '< 6'",
        6, 14, "rules.0.resolve", "resolve at < 6 overlaps trigger at > 5",
    ),
    (RULE + "    trigger: '>= 5'\n    resolve: '<= 5'", 6, 14, "rules.0.resolve", "overlaps"),
    (RULE + "    trigger: '> 5'\n    resolve: '> 2'", 6, 14, "rules.0.resolve", "the same way"),
    (RULE + "    trigger: '> 5'\n    resolve: '< 0'", 6, 14, "rules.0.resolve", "never be true"),
    (RULE + "    trigger: '> 5'\n    by: country", 6, 9, "rules.0.by", "write [country]"),
    (RULE + "    trigger: '> 5'\n    by: [a, b, a]", 6, 16, "rules.0.by.2", "'a' is named twice"),
    (RULE + "    trigger: '> 5'\n    window: 60", 6, 13, "rules.0.window", "60 has no unit"),
    (RULE + "    trigger: '> 5'\n    window: 2h", 6, 13, "rules.0.window", "must be at most 1h"),
    (RULE + "    trigger: '> 5'\n    window: 0s", 6, 13, "rules.0.window", "must be at least 1s"),
    (RULE + "    trigger: '> 5'\n    for: 1:30", 6, 10, "rules.0.for", "'1:30' is not a duration"),
    (RULE + "    trigger: '> 5'\n    fro: 2m", 6, 5, "rules.0.fro", "did you mean for?"),
    (RULE + "    trigger: '> 5'\n    for_s: 2m", 6, 5, "rules.0.for_s", "is not a known key"),
    (RULE + "    trigger: '> 5'\n    min_views: -1", 6, 16, "rules.0.min_views", "at least 0"),
    (RULE + "    trigger: '> 5'\n    min_views: '9'", 6, 16, "rules.0.min_views", "without quotes"),
    (RULE + "    trigger: '> 5'\n    where: {a: []}", 6, 16, "rules.0.where.a", "matches nothing"),
    (RULE + "    trigger: '> 5'\n    where: {a: '!'}", 6, 16, "rules.0.where.a", "is empty"),
    (
        RULE + "    trigger: '> 5'\n    where: {a: [b, null]}",
        6, 20, "rules.0.where.a.1", "only texts can stand in this list",
    ),
    (RULE + "    trigger: '> 5'\n    where: {a: {b: c}}", 6, 16, "rules.0.where.a", "is not some"),
    (
        RULE + "    trigger: '> 5'\n    summary: '{valeu}'",
        6, 14, "rules.0.summary", "(did you mean {value}?)",
    ),
    (RULE + "    trigger: '> 5'\n    summary: '{a}'", 6, 14, "rules.0.summary", "neither"),
    (RULE + "    trigger: '> 5'\n    summary: '{}'", 6, 14, "rules.0.summary", "has no name"),
    (RULE + "    trigger: '> 5'\n    summary: '{'", 6, 14, "rules.0.summary", "brace"),
    (
        RULE + "    trigger: '> 5'\n    summary: '{value.real}'",
        6, 14, "rules.0.summary", "{value.real} looks into a field",
    ),
    (RULE + "    trigger: '> 5'\n    summary: '{rule[0]}'", 6, 14, "rules.0.summary", "looks into"),
    (RULE + "    trigger: '> 5'\n    summary: '{rule:d}'", 6, 14, "rules.0.summary", "a text"),
    (
        RULE + "    trigger: '> 5'\n    summary: '{value:9999999999}'",
        6, 14, "rules.0.summary", "is not supported",
    ),
    (RULE + "    trigger: '> 5'\n    runbook: ftp://x", 6, 14, "rules.0.runbook", "not a URL"),
    (BROKER + "rules: [7]", 2, 9, "rules.0", "must be a mapping of keys to values"),
    (BROKER + "rules: {a: b}", 2, 8, "rules", "must be a list"),
    (BROKER + "rule_files: ['no/*.yaml']", 2, 14, "rule_files.0", "no file matches 'no/*.yaml'"),
    (BROKER + "rule_files: ['*.yaml']", 2, 14, "rule_files.0", "matches this very file"),
    # Channels.
    (BROKER + "channels: [{name: c}]", 2, 12, "channels.0.service", "is missing"),
    (
        BROKER + "channels: [{name: c, service: pagerdty}]",
        2, 31, "channels.0.service", "(did you mean pagerduty?)",
    ),
    (
        BROKER + "channels: [{name: c, service: console, alert_types: anomalies}]",
        2, 53, "channels.0.alert_types", "(did you mean anomaly?)",
    ),
    (
        BROKER + "channels: [{name: c, service: pagerduty}]",
        2, 12, "channels.0.integration_key", "is missing",
    ),
    (
        BROKER + "channels: [{name: c, service: pagerduty, integration_key: abcdefghij0123456789}]",
        2, 59, "channels.0.integration_key", "looks like a REST API key; use the Events API v2",
    ),
    (
        BROKER + "channels: [{name: c, service: pagerduty, integration_key: '${NO_KEY}'}]",
        2, 59, "channels.0.integration_key", "the environment variable NO_KEY is not set",
    ),
    (
        BROKER + "channels: [{name: c, service: console}, {name: c, service: console}]",
        2, 48, "channels.1.name", "'c' names another channel already",
    ),
    ("mqtt: {embedded: true, username: '${1}'}", 1, 34, "mqtt.username", "write ${NAME}"),
    ("mqtt: {embedded: true, password_file: none}", 1, 39, "mqtt.password_file", "No such file"),
    (
        "mqtt: {embedded: true, password: a, password_file: b}",
        1, 37, "mqtt.password_file", "password and password_file are both given",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "path", "words"), MISTAKES)
def test_a_mistake_is_told_once_with_its_place(
    tmp_path: Path, text: str, line: int, column: int, path: str, words: str
) -> None:
    (problem,) = problems(tmp_path, text)

    assert (problem.line, problem.column, problem.path) == (line, column, path)
    assert words in str(problem)
    assert problem.file == str(tmp_path / "playwatch.yaml")


def test_all_mistakes_of_all_files_are_told_at_once_in_order(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(
        "rules:\n"
        "  - name: first\n"
        "    metric: rebufer_percentage\n"
        "    trigger: '> 101'\n"
        "  - {name: second, metric: rebuffer_percentage, trigger: '> 101', window: 5}\n"
        "mqtt: {}\n"
    )

    found = problems(
        tmp_path,
        "mqtt: {url: 'tcp://h', qos: 1}\n"
        "rules:\n"
        "  - name: first\n"
        "    metric: views\n"
        "    trigger: 'below 5'\n"
        "    by: x\n"
        "rule_files: ['rules/*.yaml', 'none.yaml']\n"
        "channels: [{name: c, service: console, region: us}]\n"
        "channels: []\n",
    )

    assert [(Path(p.file).name, p.line, p.column) for p in found] == [
        ("playwatch.yaml", 1, 13),
        ("playwatch.yaml", 1, 24),
        ("playwatch.yaml", 5, 14),
        ("playwatch.yaml", 6, 9),
        ("playwatch.yaml", 7, 30),
        ("playwatch.yaml", 8, 40),
        ("playwatch.yaml", 9, 1),
        ("a.yaml", 2, 11),
        ("a.yaml", 3, 13),
        ("a.yaml", 5, 58),
        ("a.yaml", 5, 75),
        ("a.yaml", 6, 1),
    ]


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        (b"a: 1\nb: \xff", 2, 4, "not text in UTF-8"),
        (b"#" * (SIZE_LIMIT + 1), 1, 1, "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_text_is_refused(
    tmp_path: Path, content: bytes, line: int, column: int, words: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=words) as caught:
        load_config(path, environ={})

    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (line, column)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml:1:1: cannot be read: No such file"):
        load_config(tmp_path / "none.yaml", environ={})

    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path, environ={})


def test_defaults_are_those_of_the_manual(tmp_path: Path) -> None:
    settings = loaded(tmp_path, BROKER + "rules:\nchannels:\nweb:\n")

    assert settings.store.path == tmp_path / "playwatch.db"
    assert settings.web.listen == "127.0.0.1:8080"
    assert settings.limits.series_per_metric == 200_000
    assert settings.limits.max_age_s == 3600
    assert settings.limits.max_payload_bytes == 4 << 20
    assert settings.mqtt == MqttSettings(embedded=True)
    assert (settings.rules, settings.channels, settings.metrics) == ((), (), ())


def test_a_rule_has_the_defaults_of_the_manual(tmp_path: Path) -> None:
    rule = only_rule(tmp_path, "    trigger: '> 5'\n    for: 2m")

    expected = Threshold(
        Comparison.ABOVE, (Tier(Severity.CRITICAL, 5.0),), Bound(Comparison.AT_MOST, 5.0)
    )
    assert rule.condition == expected
    assert (rule.window_s, rule.for_s, rule.resolve_for_s) == (60.0, 120.0, 120.0)
    assert (rule.min_views, rule.by, rule.where, rule.expire_after_s) == (0, (), (), 86_400.0)


def test_levels_rise_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    rule = only_rule(tmp_path, "    trigger: {critical: '< 5', info: '< 9'}")

    assert isinstance(rule.condition, Threshold)
    assert rule.condition.tiers == (Tier(Severity.INFO, 9.0), Tier(Severity.CRITICAL, 5.0))
    assert rule.condition.resolve == Bound(Comparison.AT_LEAST, 9.0)


def test_where_takes_texts_as_written(tmp_path: Path) -> None:
    rule = only_rule(
        tmp_path,
        "    trigger: '> 5'\n"
        "    where: {country: NO, asn: 007, live: true, on: 1:30, cdn: [a, '!b'], x: '!y*', z: ~}",
    )

    assert rule.where == (
        Matcher("country", ("NO",)),
        Matcher("asn", ("007",)),
        Matcher("live", ("true",)),
        Matcher("on", ("1:30",)),
        Matcher("cdn", ("a",), ("b",)),
        Matcher("x", (), ("y*",)),
        Matcher("z", must_be_missing=True),
    )


def test_a_metric_may_be_written_with_dashes(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        BROKER + "metrics: [{key: my-metric, unit: x, worse: low, merge: latest, low: -5}]\n"
        "rules: [{name: a, metric: my-metric, trigger: '< -1'}]",
    )

    metric = settings.catalogue().find("my_metric")
    assert settings.core_rules()[0].metric == "my_metric"
    assert metric is not None
    assert (metric.unit, metric.worse, metric.merge, metric.low) == (
        "x",
        Worse.LOW,
        Merge.LATEST,
        -5,
    )


def test_a_mistaken_metric_does_not_blame_its_rules(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        BROKER
        + "metrics: [{key: mine, merge: avg}]\nrules: [{name: a, metric: mine, trigger: '> 1'}]",
    )

    assert [problem.path for problem in found] == ["metrics.0.merge"]


def test_paths_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    settings = loaded(
        tmp_path, "mqtt: {url: 'mqtts://h', tls: {ca_file: ca.pem}}\nstore: {path: data/p.db}"
    )

    assert settings.mqtt.tls.ca_file == str(tmp_path / "ca.pem")
    assert settings.store.path == tmp_path / "data/p.db"


def test_rule_files_add_their_rules_each_once(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yml").write_text(
            f"rules: [{{name: {name}, metric: views, trigger: '< 5'}}]"
        )

    settings = loaded(tmp_path, BROKER + f"rule_files: ['*.yml', '{tmp_path}/a.yml']")

    assert [rule.name for rule in settings.rules] == ["a", "b"]


def test_the_web_can_be_off(tmp_path: Path) -> None:
    assert loaded(tmp_path, BROKER + "web: {listen: off}").web.listen is None


def test_variables_stand_in_any_text_and_number(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "mqtt: {url: 'mqtt://${HOST}:${PORT}', backlog: '${BACKLOG}', client_id: '$${x}$5'}",
        {"HOST": "broker", "PORT": "1884", "BACKLOG": "12"},
    )

    assert settings.mqtt.url == "mqtt://broker:1884"
    assert settings.mqtt.backlog == 12
    assert settings.mqtt.client_id == "${x}$5"


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"  {KEY}\n")
    settings = loaded(
        tmp_path,
        "mqtt: {embedded: true, password: '${PASSWORD}'}\n"
        "channels:\n"
        "  - {name: a, service: pagerduty, integration_key_file: key}\n"
        "  - {name: b, service: pagerduty, integration_key: ' ${KEY} '}\n",
        {"PASSWORD": "12345678", "KEY": KEY},
    )

    keys = [c.integration_key for c in settings.channels if isinstance(c, PagerDutySettings)]
    assert [key.get_secret_value() for key in keys] == [KEY, KEY]
    assert settings.mqtt.password is not None
    assert settings.mqtt.password.get_secret_value() == "12345678"


def test_without_secrets_unset_variables_and_files_pass(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "mqtt: {url: 'mqtt://${HOST}', password_file: /nowhere/at/all, username: '${USER_NAME}'}\n"
        "channels: [{name: a, service: pagerduty, integration_key: '${KEY}'}]",
        need_secrets=False,
    )

    assert settings.mqtt.url == "mqtt://${HOST}"
    assert settings.mqtt.password is not None


def test_every_unset_variable_is_named_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "mqtt: {url: '${A}', backlog: '${B}', password: '${C}'}\nweb: {listen: '${D}:80'}",
    )

    assert [re.findall(r"variable (\w+)", p.message)[0] for p in found] == ["A", "B", "C", "D"]


@pytest.mark.parametrize("key", ["", "short", KEY + "x", KEY[:-1] + "é", KEY[:-1] + "-"])
def test_an_integration_key_of_another_shape_is_refused_unquoted(tmp_path: Path, key: str) -> None:
    found = problems(
        tmp_path,
        BROKER + "channels: [{name: a, service: pagerduty, integration_key: '${KEY}'}]",
        {"KEY": key},
    )

    assert "32 letters and digits" in found[0].message
    assert not key or key not in str(found[0])


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {url: '${S}', embedded: '${S}', listen: '${S}', username: '${S}', password: '${S}'}",
        "mqtt: {embedded: true, backlog: '${S}', keepalive: '${S}', protocol: '${S}', tls: '${S}'}",
        "mqtt: {embedded: true, subscriptions: [{topic: '${S}/#/#', qos: '${S}', codec: '${S}'}]}",
        "mqtt: {embedded: true, password_file: '${S}'}\nweb: {listen: '${S}'}\nlimits: {x: '${S}'}",
        BROKER
        + "limits: {max_payload: '${S}'}\nmetrics: [{key: '${S}', low: '${S}'}, {key: '${S}'}]",
        BROKER
        + "rules: [{name: '${S} ', metric: '${S}', trigger: '${S}', resolve: '${S}', by: '${S}'}]",
        RULE
        + "    trigger: {warning: '${S}'}\n    window: ${S}\n    summary: '{${S}}'\n    x: ${S}",
        RULE + "    trigger: '> 1'\n    runbook: ${S}\n    by: ['${S}', '${S}']",
        BROKER + "channels: [{name: '${S} ', service: '${S}'}]\nrule_files: ['${S}']",
        BROKER
        + "channels: [{name: '${S} ', service: pagerduty, integration_key: '${S}', url: '${S}'}]",
        BROKER
        + "channels: [{name: a, service: pagerduty, region: '${S}', integration_key_file: f}]",
        BROKER + f"channels: [{{name: a, service: pagerduty, integration_key: {SECRET}}}]",
        f"mqtt: {{url: 'http://u:{SECRET}@h', password: [{SECRET}]}}",
        f'mqtt: {{embedded: true, password: "{SECRET}',
    ],
)
def test_no_secret_stands_in_an_error(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "f").write_text(SECRET)

    found = problems(tmp_path, text, {"S": SECRET})

    assert SECRET not in repr(found) + caplog.text
    assert found


def test_no_secret_stands_in_what_is_shown(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        f"mqtt: {{embedded: true, password: {SECRET}}}\n"
        f"channels: [{{name: a, service: pagerduty, integration_key: {KEY}}}]",
    )

    shown = repr(settings) + str(settings) + effective_yaml(settings) + settings.model_dump_json()
    assert SECRET not in shown
    assert KEY not in shown
    assert effective(settings)["channels"][0]["integration_key"] == f"****{KEY[-4:]}"
    assert effective(settings)["mqtt"]["password"] == "****"  # noqa: S105 - a mask


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = loaded(tmp_path, BROKER)

    with pytest.raises(ValueError, match="frozen"):
        settings.web = settings.web


def test_findings_say_what_is_certainly_not_meant(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        RULE + "    trigger: '> 5'\n"
        "  - {name: b, metric: playback_failure_percentage, trigger: '> 5', resolve: '<= 5'}\n"
        "  - {name: c, metric: views, trigger: '< 5', where: {x: [DE, '!D*'], y: null}, by: [y]}\n"
        "channels: [{name: quiet, service: console, alert_types: anomaly}]\nanomalies: []\n",
    )

    found = [(problem.line, problem.column, problem.message) for problem in findings(settings)]
    assert found == [
        (6, 12, "opens the same incidents as rule a"),
        (7, 12, "groups by y, which where says must be missing"),
        (7, 12, "matches no series: where excludes every x it asks for"),
        (8, 19, "no channel is told when the engine itself is in trouble"),
        (8, 19, "takes anomaly incidents only, and no rule raises one"),
    ]


def test_findings_miss_rules_channels_and_files(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "mqtt: {url: 'mqtts://h', tls: {ca_file: none.pem}}\nanomalies: []")

    said = " ".join(problem.message for problem in findings(settings))
    assert "no rules" in said
    assert "no channels" in said
    assert "mqtt.tls.ca_file" in said


@pytest.mark.parametrize("name", ["first.yaml", "playwatch.yaml"])
def test_an_example_loads_without_findings(name: str) -> None:
    settings = load_config(ROOT / "config" / name, environ={}, need_secrets=False)

    assert findings(settings) == []


def test_the_first_example_needs_nothing_and_fires_at_once() -> None:
    settings = load_config(ROOT / "config/first.yaml", environ={})

    (rule,) = settings.core_rules()
    assert settings.mqtt.embedded
    assert settings.channels == (ConsoleSettings(name="terminal", service="console"),)
    assert (rule.for_s, rule.min_views, rule.by) == (0.0, 0, ("country",))


@pytest.mark.parametrize("name", ["first.yaml", "playwatch.yaml"])
def test_what_is_in_force_loads_again_as_the_same(tmp_path: Path, name: str) -> None:
    environ = {"PAGERDUTY_KEY": KEY}
    settings = load_config(ROOT / "config" / name, environ=environ)

    again = loaded(tmp_path, effective_yaml(settings).replace(f"****{KEY[-4:]}", KEY))

    assert effective(again) == effective(settings)
    assert again.core_rules() == settings.core_rules()


def test_the_example_names_every_key_there_is() -> None:
    text = (ROOT / "config/playwatch.yaml").read_text()
    schema = json_schema()

    for definition in [schema, *schema["$defs"].values()]:
        for key in definition["properties"]:
            assert re.search(rf"\b{key}\b", text), key


def test_the_schema_speaks_of_keys_as_they_are_written() -> None:
    schema = json_schema()

    rule = schema["$defs"]["RuleSettings"]
    assert {"for", "resolve_for", "window", "expire_after"} <= set(rule["properties"])
    assert rule["additionalProperties"] is False
    assert "integration_key_file" in schema["$defs"]["PagerDutySettings"]["properties"]
    assert yaml.safe_dump(schema)


@pytest.mark.parametrize(
    ("web", "page_url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"listen": "127.0.0.1:0"}, ""),
        ({"listen": "off"}, ""),
        ({"listen": "off", "url": "https://a.example.com/b/"}, "https://a.example.com/b"),
    ],
)
def test_pages_are_opened_at_url_or_else_where_the_engine_listens(
    web: dict[str, str], page_url: str
) -> None:
    assert WebSettings.model_validate(web).page_url == page_url
