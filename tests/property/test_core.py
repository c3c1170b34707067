"""The fast core equals its slow twin, over random streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.phases import Phase
from playwatch.core.threshold import judge
from playwatch.core.verdicts import Verdict
from tests.naive import NaivePipeline, NaiveWatch, Turn
from tests.property.streams import (
    SEEDS,
    Happening,
    long_streams,
    naive_samples,
    rules,
    samples_of,
    streams,
)
from tests.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.incidents import Change, Incident
    from playwatch.core.rules import Rule
    from playwatch.core.watches import Watch

PATHS = st.sampled_from([0, 2, 24])
"""Samples go through columns, through both, or through the loop."""


def turn_of(change: Change, incident: Incident) -> Turn:
    return Turn(
        word=change.value,
        rule=incident.rule,
        group=tuple(value for _, value in incident.breakdowns),
        severity=incident.severity.word,
        started_at=incident.started_at,
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at,
        ended_at=incident.ended_at,
        value=incident.measured_value,
        peak=incident.peak_value,
        threshold=incident.threshold,
        flaps=incident.flaps,
        is_silence=incident.is_silence,
        is_corrected=bool(incident.correction),
    )


def turns_of(news: list[tuple[Change, Incident]]) -> list[str]:
    return comparable(turn_of(change, incident) for change, incident in news)


def comparable(turns: Iterable[Turn]) -> list[str]:
    """Return turns in one order and as text, where NaN equals itself."""
    return sorted(repr(turn) for turn in turns)


def assert_alike(fast: Watch, slow: NaiveWatch, monotonic_ms: int) -> None:
    """Compare windows, verdicts, phases and tiers of every group."""
    rows = {key: row for row, key in enumerate(fast.groups.keys)}
    heard = [group for group in slow.clocks if slow.clocks[group].newest_at is not None]
    assert set(heard) == set(rows)
    if not heard:
        return
    group = np.array([rows[key] for key in heard], np.int32)
    at = fast.windows.clocks.now(group, monotonic_ms)
    totals = fast.windows.totals(group, at)
    covered = fast.windows.covers(group, at)
    whole = fast.windows.is_whole(group, at)
    verdicts = judge(fast.rule, fast.condition, fast.metric, group, at, totals, covered, whole)
    for i, key in enumerate(heard):
        expected_at = slow.clocks[key].now(monotonic_ms)
        expected = slow.totals(key, expected_at)
        verdict = slow.verdict(key, expected, expected_at)

        assert at[i] == expected_at
        assert (expected.views, expected.samples) == (totals.views[i], totals.samples[i])
        assert expected.sums == totals.sums[i]
        assert verdict.word == Verdict(verdicts.verdict[i]).name
        assert verdict.tier == verdicts.tier[i]
        assert slow.lives[key].phase == Phase(fast.phases.phase[group[i]]).name
        assert slow.lives[key].tier == fast.phases.tier[group[i]]


def assert_equal(its_rules: list[Rule], stream: list[Happening], few: int) -> None:
    stage = Stage(*its_rules, few=few)
    slow = NaivePipeline(stage.catalogue, its_rules)
    for happening in stream:
        stage.sleep(happening.after_ms / 1000)
        if happening.samples is None:
            step = stage.pipeline.tick(stage.now)
            expected = slow.tick(stage.monotonic_ms)
        else:
            samples = samples_of(happening, stage.at)
            step = stage.pipeline.take(stage.batch_of(samples), stage.now)
            expected = slow.take(naive_samples(samples), stage.monotonic_ms)

        assert comparable(expected) == turns_of(list(step.turns))
        for watch, twin in zip(stage.pipeline.thresholds, slow.watches, strict=True):
            assert_alike(watch, twin, stage.monotonic_ms)


@settings(deadline=None, max_examples=100)
@given(rules(), streams(), PATHS)
def test_fast_equals_naive_on_short_streams(
    its_rules: list[Rule], stream: list[Happening], few: int
) -> None:
    assert_equal(its_rules, stream, few)


@settings(deadline=None, max_examples=60)
@given(st.data(), rules(), PATHS)
def test_fast_equals_naive_on_long_streams(
    data: st.DataObject, its_rules: list[Rule], few: int
) -> None:
    assert_equal(its_rules, data.draw(long_streams(its_rules, SEEDS)), few)
