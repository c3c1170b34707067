"""Matchers, bounds and what makes two rules the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from playwatch.core.rules import AlertType, Anomaly, Bound, Comparison, Matcher, Severity
from tests.stage import a_rule


@pytest.mark.parametrize(
    ("matcher", "passing", "failing"),
    [
        (Matcher("cdn"), ["fastly", None], []),
        (Matcher("cdn", ("fastly",)), ["fastly"], ["Fastly", "fastly2", "", None]),
        (Matcher("cdn", ("fastly", "akamai")), ["fastly", "akamai"], ["x", None]),
        (Matcher("cdn", ("live-*",)), ["live-1", "live-"], ["vod-1", "xlive-1", None]),
        (Matcher("cdn", ("live-?",)), ["live-1"], ["live-", "live-12"]),
        (Matcher("cdn", ("*",)), ["x"], [None]),
        (Matcher("cdn", exclude=("US",)), ["DE", None], ["US"]),
        (Matcher("cdn", exclude=("U*", "C*")), ["DE"], ["US", "CA"]),
        (Matcher("cdn", ("live-*",), ("live-test*",)), ["live-1"], ["live-test1", "vod", None]),
        (Matcher("cdn", must_be_missing=True), [None], ["x"]),
    ],
)
def test_what_a_matcher_lets_pass(
    matcher: Matcher, passing: list[str | None], failing: list[str | None]
) -> None:
    for value in passing:
        assert matcher.matches({} if value is None else {"cdn": value}), value
    for value in failing:
        assert not matcher.matches({} if value is None else {"cdn": value}), value


def test_a_name_with_brackets_matches_itself() -> None:
    assert Matcher("video_title", ("Final [HD]",)).matches({"video_title": "Final [HD]"})


@pytest.mark.parametrize("comparison", Comparison)
@pytest.mark.parametrize("value", [4.9, 5.0, 5.1])
def test_the_opposite_holds_exactly_when_the_comparison_does_not(
    comparison: Comparison, value: float
) -> None:
    assert comparison.holds(value, 5.0) is not comparison.opposite.holds(value, 5.0)
    assert comparison.opposite.opposite is comparison


@pytest.mark.parametrize("comparison", Comparison)
def test_nothing_holds_for_a_value_that_is_none(comparison: Comparison) -> None:
    assert not np.any(comparison.holds(np.array([np.nan]), 5.0))


def test_bounds_and_severities_read_as_people_write_them() -> None:
    assert str(Bound(Comparison.AT_LEAST, 2.5)) == ">= 2.5"
    assert Severity.CRITICAL.word == "critical"
    assert sorted(Severity) == [
        Severity.INFO,
        Severity.WARNING,
        Severity.ERROR,
        Severity.CRITICAL,
    ]


def test_the_alert_type_follows_from_the_condition() -> None:
    rule = a_rule()

    assert rule.alert_type is AlertType.THRESHOLD
    assert replace(rule, condition=Anomaly(1.0)).alert_type is AlertType.ANOMALY


def test_other_bounds_durations_and_words_leave_the_scope() -> None:
    rule = a_rule("> 5")
    others = [
        a_rule("> 6"),
        a_rule("> 5", for_s=60),
        a_rule("> 5", min_views=100),
        replace(rule, summary="x"),
        replace(rule, name="other"),
    ]

    assert {other.scope for other in others} == {rule.scope}


def test_another_metric_where_by_or_window_is_another_scope() -> None:
    rules = [
        a_rule(),
        a_rule(metric="rebuffer_percentage"),
        a_rule(where=(Matcher("cdn", ("x",)),)),
        a_rule(where=(Matcher("cdn", exclude=("x",)),)),
        a_rule(by=("cdn",)),
        a_rule(window_s=61),
    ]

    assert len({rule.scope for rule in rules}) == len(rules)
