from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch.config.scenarios.load import load_suite
from playwatch.config.scenarios.notation import NotationError, expand, parse_series
from playwatch.errors import ConfigError
from playwatch.runtime.scenarios.play import play
from playwatch.runtime.scenarios.verdict import outcomes

if TYPE_CHECKING:
    from playwatch.config.scenarios.load import Suite
    from playwatch.runtime.scenarios.verdict import Outcome

RULE = """\
rules:
  - {name: rebuffering, metric: rebuffer_percentage, by: [cdn], trigger: "> 5"}
channels: [{name: oncall}]
"""


def suite_of(folder: Path, text: str) -> Suite:
    path = folder / "t.yaml"
    path.write_text(dedent(text))
    return load_suite(path, environ={})


def mistakes(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a file, without its name."""
    with pytest.raises(ConfigError) as caught:
        suite_of(folder, text)
    return [str(one).removeprefix(f"{folder / 't.yaml'}:") for one in caught.value.problems]


def outcome(folder: Path, test: str) -> Outcome:
    """Run one test of one rule."""
    return next(outcomes(suite_of(folder, f"{RULE}tests:\n  - {{name: t, {test}}}\n")))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("-2+4x3", [-2, 2, 6, 10]),
        (" 1-2x4", [1, -1, -3, -5, -7]),
        ("1x4", [1, 1, 1, 1, 1]),
        ("0x2", [0, 0, 0]),
        ("1 _x3 stale", [1, None, None, None, None]),
        ("1e+1x1 .5 2.", [10, 10, 0.5, 2]),
        ("1+-2x2", None),
        ("", []),
        ("_x0", []),
    ],
)
def test_the_notation_is_promtools(text: str, values: list[float | None] | None) -> None:
    if values is None:
        with pytest.raises(NotationError):
            expand(text)
        return

    assert [None if np.isnan(value) else value for value in expand(text)] == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 8y9", "'8y9', item 2, is not a value"),
        ("1-2", "'1-2', item 1, has a step but no number of times"),
        ("NaN", "'NaN', item 1, is not a value"),
        ("stalex3", "'stalex3', item 1, is not a value"),
        ("1x200000", "'1x200000', item 1, makes more than 200000 values"),
        ("_x99999999999999999999", "makes more than 200000 values"),
        ("1e999", "'1e999', item 1, leaves the range of numbers"),
        ("1e308+1e308x9", "leaves the range of numbers"),
    ],
)
def test_bad_notation_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(NotationError, match=said.replace("+", r"\+")):
        expand(text)


def test_a_series_is_a_metric_with_its_dimensions() -> None:
    assert parse_series("views") == ("views", {})
    assert parse_series(" views{} ") == ("views", {})
    assert parse_series("views{cdn=\"a, b\", os='x\\'y',}") == (
        "views",
        {"cdn": "a, b", "os": "x'y"},
    )
    for wrong in ("", "{a='b'}", "views{a=b}", "views{a='b'", "views{a='b' c='d'}", "9views"):
        with pytest.raises(NotationError):
            parse_series(wrong)
    for wrong in ("views{a=''}", "views{a='b',a='c'}", "views{a='" + 257 * "x" + "'}"):
        with pytest.raises(NotationError, match=r"^a"):
            parse_series(wrong)


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    said = mistakes(
        tmp_path,
        """\
        rules:
          - {name: rebuffering, metric: rebuffer_percentage, by: [cdn], trigger: "> 5"}
        interval: 60
        tests:
          - name: one
            input_series:
              - {series: 'rebufer_percentage{cdn="a"}', values: '1'}
              - {series: 'rebuffer_percentage{cdn=a}', values: '1'}
              - {series: 'rebuffer_percentage', values: '1 8y9'}
              - {series: 'rebuffer_percentage', values: '1 101'}
              - {series: 'rebuffer_percentage', values: '1x4', views: '1x5'}
              - {series: 'rebuffer_percentage', values: '1', views: '1.5'}
              - {series: 'rebuffer_percentage', values: '1', delay: 2h}
            start: 2026-01-01T00:00:00
            exp_pges: []
        """,
    )

    assert said == [
        "3:11: interval: the duration 60 has no unit (write 60s for seconds, 60m for minutes)",
        (
            "7:18: tests.0.input_series.0.series: 'rebufer_percentage' is not a known metric"
            " (did you mean rebuffer_percentage?)"
        ),
        (
            "8:18: tests.0.input_series.1.series: 'cdn=a' is not a dimension with its value"
            ' (write metric{cdn="fastly", country="SE"})'
        ),
        (
            "9:49: tests.0.input_series.2.values: '8y9', item 2, is not a value"
            " (write 1, 1x9, 1+2x9, 10-1x9, _, _x9 or stale)"
        ),
        (
            "10:49: tests.0.input_series.3.values: 101 is no rebuffer_percentage: that is 0 to 100"
            " (such a sample would be refused)"
        ),
        (
            "11:63: tests.0.input_series.4.views: 6 views beside 5 values"
            " (1x4 is five values; one alone stands for all)"
        ),
        "12:61: tests.0.input_series.5.views: 1.5 is no number of views",
        "13:61: tests.0.input_series.6.delay: must be at most 1h",
        (
            "14:12: tests.0.start: '2026-01-01T00:00:00' is not a time with its zone"
            " (write 2026-03-29T00:00:00Z or 2026-03-29T01:00:00+01:00)"
        ),
        "15:5: tests.0.exp_pges: is not a known key (did you mean exp_pages?)",
    ]


def test_a_time_that_no_calendar_can_hold_is_a_mistake(tmp_path: Path) -> None:
    said = mistakes(tmp_path, f"{RULE}start: 0001-01-01T00:00:00Z\ntests: []\n")

    assert said == ["4:8: start: 1 is not a year of video (1971 to 2199)"]


def test_names_that_mean_nothing_are_mistakes(tmp_path: Path) -> None:
    said = mistakes(
        tmp_path,
        """\
        rules:
          - {name: rebuffering, metric: rebuffer_percentage, by: [cdn], trigger: "> 5"}
        channels: [{name: oncall}]
        tests:
          - name: one
            alert_rule_test:
              - {eval_time: 1m, rule: rebufering}
              - {eval_time: 1m, rule: rebuffering, exp_incidents: [{labels: {country: SE}}]}
            exp_pages: [{channel: oncal}, {channel: oncall, rule: other}]
          - {name: one, edits: [{at: 1m, remove: [nobody]}]}
        """,
    )

    assert said == [
        (
            "7:31: tests.0.alert_rule_test.0.rule: there is no rule 'rebufering'"
            " (did you mean rebuffering?)"
        ),
        (
            "8:69: tests.0.alert_rule_test.1.exp_incidents.0.labels: names country,"
            " but rule rebuffering groups by cdn"
        ),
        "9:27: tests.0.exp_pages.0.channel: there is no channel 'oncal' (did you mean oncall?)",
        "9:59: tests.0.exp_pages.1.rule: there is no rule 'other' (known are rebuffering)",
        "10:5: tests.1: checks nothing (write alert_rule_test or exp_pages)",
        "10:12: tests.1.name: 'one' is given twice",
        "10:43: tests.1.edits.0.remove.0: there is no rule 'nobody' (known are rebuffering)",
    ]


def test_the_mistakes_of_a_named_configuration_keep_their_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text('mqtt: {embedded: true}\nrules: [{name: r, trigger: "> 5"}]\n')

    said = mistakes(tmp_path, "config: c.yaml\nrules: []\ntests: []\n")

    assert said == [
        "2:1: rules: stands beside config (keep one of the two)",
        f"{tmp_path / 'c.yaml'}:2:9: rules.0.metric: is missing",
    ]


def test_rules_come_from_a_configuration_without_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "mqtt: {url: mqtt://localhost, password: '${NOT_SET}'}\n"
        "rules: [{name: r, metric: views, trigger: '> 5'}]\n"
        "channels: [{name: p, service: pagerduty, integration_key: '${NOT_SET}'}]\n"
    )
    suite = suite_of(
        tmp_path,
        """\
        config: c.yaml
        tests:
          - name: t
            input_series: [{series: views, values: '9'}]
            exp_pages: [{channel: p, at: 0s, rule: r}]
        """,
    )

    assert [one.has_passed for one in outcomes(suite)] == [True]


def test_rule_files_are_found_by_glob_and_share_one_namespace(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("rules: [{name: r, metric: views, trigger: '> 5'}]")
    test = "tests: [{name: t, alert_rule_test: [{eval_time: 0s, rule: r}]}]\n"

    assert len(suite_of(tmp_path, f"rule_files: ['rules/*.yaml']\n{test}").rules) == 1
    assert mistakes(tmp_path, f"rule_files: ['no/*.yaml']\n{test}")[0] == (
        "1:14: rule_files.0: no file matches 'no/*.yaml'"
    )
    both = "rule_files: ['rules/*.yaml']\nrules: [{name: r, metric: views, trigger: '> 5'}]\n"
    assert mistakes(tmp_path, both + test) == [
        "2:16: rules.0.name: 'r' names a rule of another file"
    ]
    (tmp_path / "rules" / "b.yaml").write_text("rules: [{name: r, metric: views, trigger: '> 5'}]")
    assert mistakes(tmp_path, f"rule_files: ['rules/*.yaml']\n{test}") == [
        (
            f"{tmp_path / 'rules' / 'b.yaml'}:1:16: rules.0.name: 'r' names another rule already"
            f" (first in {tmp_path / 'rules' / 'a.yaml'})"
        )
    ]


def test_the_example_of_the_manual_passes(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[2] / "config" / "tests" / "README.md").read_text()
    example = manual.split("```yaml\n")[1].split("```")[0]

    assert [one.failures for one in outcomes(suite_of(tmp_path, example))] == [()]


def test_open_incidents_are_compared_exactly(tmp_path: Path) -> None:
    series = "input_series: [{series: 'rebuffer_percentage{cdn=\"a\"}', values: '8x3 1x9'}]"

    nobody = outcome(tmp_path, f"{series}, alert_rule_test: [{{eval_time: 1m, rule: rebuffering}}]")
    ended = outcome(tmp_path, f"{series}, alert_rule_test: [{{eval_time: 9m, rule: rebuffering}}]")

    (row,) = nobody.failures[0].rows
    assert (row.expected, row.is_met) == ("nothing", False)
    assert row.got == "{cdn=a} open critical value 8 opened 0s"
    assert ended.has_passed


def test_ended_incidents_are_compared_as_soon_as_one_is_listed(tmp_path: Path) -> None:
    series = "input_series: [{series: 'rebuffer_percentage{cdn=\"a\"}', values: '8 1 8 1 1'}]"
    check = "alert_rule_test: [{{eval_time: 5m, rule: rebuffering, exp_incidents: [{}]}}]"

    one = outcome(tmp_path, f"{series}, {check.format('{status: resolved}')}")
    two = outcome(tmp_path, f"{series}, {check.format('{status: closed}, {status: closed}')}")

    assert [row.is_met for row in one.failures[0].rows] == [True, False]
    assert two.has_passed


def test_expectations_are_matched_whatever_their_order(tmp_path: Path) -> None:
    """A loose expectation leaves the incident that a strict one needs."""
    series = ", ".join(
        f"{{series: 'rebuffer_percentage{{cdn=\"{cdn}\"}}', values: '8'}}" for cdn in "ab"
    )
    wanted = "{severity: critical}, {dimensions: {cdn: a}}"

    found = outcome(
        tmp_path,
        f"input_series: [{series}], alert_rule_test:"
        f" [{{eval_time: 0s, rule: rebuffering, exp_incidents: [{wanted}]}}]",
    )

    assert found.has_passed


def test_a_late_sample_arrives_after_its_delay(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        f"{RULE}tests:\n"
        "  - name: t\n"
        "    exp_pages: []\n"
        "    input_series: [{series: rebuffer_percentage, values: '8', delay: 90s}]\n",
    )

    played = play(suite, suite.scenarios[0])

    (page,) = played.pages
    assert page.at_ms == 90_000
    assert page.delivery.incident.started_at == played.start


def test_a_day_of_a_sample_a_minute_needs_few_ticks(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        f"{RULE}tests:\n"
        "  - name: t\n"
        "    exp_pages: []\n"
        "    until: 24h\n"
        "    input_series: [{series: rebuffer_percentage, values: '8x3 1x3'}]\n",
    )

    assert play(suite, suite.scenarios[0]).ticks < 20
