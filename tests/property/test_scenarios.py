"""Rule tests: the notation, what a file may hold, and ticks that are left out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.config.scenarios.load import Suite, load_suite
from playwatch.config.scenarios.notation import NotationError, expand, parse_series
from playwatch.errors import ConfigError, Problem
from playwatch.runtime.scenarios.play import play

NUMBERS = st.integers(-1000, 1000).map(str) | st.decimals(
    -1000, 1000, allow_nan=False, allow_infinity=False, places=3
).map(str)
TIMES = st.integers(0, 12)


def naive(first: str, step: str, times: int) -> list[float]:
    return [float(first) + number * float(step) for number in range(times + 1)]


@st.composite
def items(draw: st.DrawFn) -> tuple[str, list[float]]:
    """Return an item of the notation with the values it stands for."""
    kind = draw(st.sampled_from(["one", "same", "up", "down", "gap", "gaps", "stale"]))
    first, times = draw(NUMBERS), draw(TIMES)
    step = draw(NUMBERS.filter(lambda text: not text.startswith("-")))
    return {
        "one": (first, [float(first)]),
        "same": (f"{first}x{times}", naive(first, "0", times)),
        "up": (f"{first}+{step}x{times}", naive(first, step, times)),
        "down": (f"{first}-{step}x{times}", naive(first, f"-{step}", times)),
        "gap": ("_", [math.nan]),
        "gaps": (f"_x{times}", [math.nan] * times),
        "stale": ("stale", [math.nan]),
    }[kind]


@given(st.lists(items(), max_size=6), st.sampled_from([" ", "\n", "   "]))
def test_an_item_stands_for_the_values_that_promtool_gives_it(
    written: list[tuple[str, list[float]]], gap: str
) -> None:
    expected = [value for _, values in written for value in values]

    got = expand(gap.join(text for text, _ in written))

    assert len(got) == len(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


@given(st.text(alphabet="0123456789+-x_. eEstalNif{}", max_size=20) | st.text(max_size=20))
def test_any_text_is_values_or_a_mistake_in_the_notation(text: str) -> None:
    try:
        values = expand(text)
    except NotationError:
        return
    assert not np.isinf(values).any()


@given(st.text(alphabet='abc{}="\\, \n', max_size=20) | st.text(max_size=20))
def test_any_text_is_a_series_or_a_mistake_in_the_notation(text: str) -> None:
    try:
        metric, dimensions = parse_series(text)
    except NotationError:
        return
    assert metric in text
    assert all(dimensions.values())


KEYS = """
rules name metric by trigger for window tests interval input_series series values views delay
exp_pages channel channels alert_rule_test eval_time rule exp_incidents dimensions labels status
severity at config rule_files start restart_at edits remove views '1x3' '8+' 1m 5 open '>5'
'views{a="b"}' ${X} [ ] { } # - : *
"""
WORDS = st.sampled_from(KEYS.split())
TREE = st.recursive(
    WORDS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)
BASE: dict[str, Any] = {
    "rules": [{"name": "r", "metric": "views", "trigger": "> 5"}],
    "tests": [{"name": "t", "exp_pages": [], "input_series": [{"series": "views", "values": "1"}]}],
}


def outcome(content: str) -> None:
    """Load a file; it may fail, but only as a configuration does."""
    problems: list[Problem] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.yaml"
        path.write_text(content)
        try:
            load_suite(path, environ={})
        except ConfigError as error:
            problems = error.problems

    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)


@settings(deadline=None)
@given(st.dictionaries(WORDS, TREE, max_size=5))
def test_no_tree_raises_anything_but_a_config_error(tree: dict[str, object]) -> None:
    outcome(yaml.safe_dump(tree))


@settings(deadline=None)
@given(st.dictionaries(WORDS, TREE, max_size=5), st.dictionaries(WORDS, TREE, max_size=5))
def test_no_odd_test_raises_anything_but_a_config_error(
    tree: dict[str, object], test: dict[str, object]
) -> None:
    outcome(yaml.safe_dump({**BASE, **tree, "tests": [{**BASE["tests"][0], **test}]}))


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_no_text_raises_anything_but_a_config_error(text: str) -> None:
    outcome(text)


SECONDS = st.sampled_from([0, 1, 30, 60, 90, 150, 300])
VALUES = st.lists(
    st.sampled_from(["1", "8", "4", "_", "1x3", "8x4", "4x3", "_x5", "8x9", "1x6", "_x20", "9"]),
    min_size=1,
    max_size=6,
).map(" ".join)
VIEWERS = "current_concurrent_viewers"


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Return a file with one test over rules of many kinds."""
    metric = draw(st.sampled_from(["rebuffer_percentage", "playback_failure_percentage", VIEWERS]))
    is_low = draw(st.booleans())
    rule: dict[str, Any] = {
        "name": "r",
        "metric": metric,
        "by": draw(st.sampled_from([[], ["cdn"]])),
        "window": f"{draw(st.sampled_from([7, 60, 61, 300]))}s",
        "trigger": "< 3" if is_low else {"warning": "> 3", "critical": "> 7"},
        "for": f"{draw(SECONDS)}s",
        "resolve": "> 5" if is_low else "< 2",
        "resolve_for": f"{draw(SECONDS)}s",
        "min_views": draw(st.sampled_from([0, 5])),
        "expire_after": f"{draw(st.sampled_from([1, 200, 400, 86400]))}s",
        "on_edit": draw(st.sampled_from(["keep", "close"])),
    }
    if draw(st.booleans()):
        policy = draw(st.sampled_from(["keep", "resolve", "open"]))
        rule["no_data"] = {"policy": policy, "after": f"{draw(st.sampled_from([330, 400]))}s"}
    if draw(st.booleans()):
        rule["flap"] = {"within": f"{draw(st.sampled_from([60, 240]))}s"}
    if draw(st.booleans()):
        rule["active"] = {"hours": "00:02-00:11", "time_zone": "UTC"}
    if metric == "playback_failure_percentage" and not is_low and draw(st.booleans()):
        rule["confidence"] = 0.95
    elif draw(st.booleans()):
        rule["aggregate"] = draw(st.sampled_from(["min", "max", "last"]))
    series = [
        {
            "series": f'{metric}{{cdn="{cdn}", country="{country}"}}',
            "values": draw(VALUES),
            "views": str(draw(st.sampled_from([3, 10, 200]))),
            "delay": f"{draw(st.sampled_from([0, 0, 1, 45, 200]))}s",
        }
        for cdn in "ab"
        for country in draw(st.sampled_from([["SE"], ["SE", "DE"]]))
    ]
    test: dict[str, Any] = {
        "name": "t",
        "until": "25m",
        "input_series": series,
        "restart_at": [f"{at}s" for at in draw(st.lists(st.integers(0, 1500), max_size=2))],
        "exp_pages": [],
    }
    if draw(st.booleans()):
        edited = {**rule, "for": f"{draw(SECONDS)}s", "min_views": draw(st.sampled_from([0, 9]))}
        test["edits"] = [{"at": f"{draw(st.integers(0, 1500))}s", "rules": [edited]}]
    if draw(st.booleans()):
        begin = draw(st.integers(0, 900))
        end = begin + draw(st.integers(1, 900))
        test["silences"] = [{"from": f"{begin}s", "until": f"{end}s500ms"}]
    interval = draw(st.sampled_from(["60s", "55s", "59500ms", "20s"]))
    return {
        "rules": [rule],
        "channels": [{"name": "c"}],
        "interval": interval,
        "tests": [test],
    }


def suite_of(content: dict[str, Any]) -> Suite:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.yaml"
        path.write_text(yaml.safe_dump(content))
        return load_suite(path, environ={})


@settings(deadline=None, max_examples=12)
@given(files())
def test_ticks_that_are_left_out_change_nothing(content: dict[str, Any]) -> None:
    suite = suite_of(content)

    quick = play(suite, suite.scenarios[0])
    whole = play(suite, suite.scenarios[0], every_tick=True)

    # By text, as a missing value is not equal to itself.
    assert repr(replace(quick, ticks=0)) == repr(replace(whole, ticks=0))
    assert quick.ticks <= whole.ticks
