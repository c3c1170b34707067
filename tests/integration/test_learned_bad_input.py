"""What must not page: the real detectors on streams that are odd and not bad."""

from __future__ import annotations

import numpy as np
import pytest

from playwatch.core.learned import LearnedWatch
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import Anomaly, Rule
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.core.snapshots import restore
from playwatch.runtime.model_states import group_states, rule_states
from tests.stage import FAILURES, ONCALL, VIEWERS

START = 1_800_000_000_000 // 60_000 * 60_000
STARTUP = "video_startup_time"
DAY = 24 * 60


class Stream:
    """One series of one metric, with the detectors that ship."""

    def __init__(self, metric: str) -> None:
        self.catalogue, self.series = Catalogue(), SeriesTable()
        rule = Rule("a", metric, Anomaly(1.0, None))
        self.pipeline = Pipeline(self.catalogue, self.series, [rule], [ONCALL], "here")
        number = self.catalogue.id_of(metric)
        assert number is not None
        self.row = self.series.intern(number, canonical_dimensions({"country": "DE"}))
        self.minute = 0
        self.opened: list[str] = []

    def send(self, value: float, views: int = 500) -> None:
        """Report one minute, and let its interval close."""
        at = START + self.minute * 60_000
        batch = SampleBatch.of([self.row], [at], [value], [views])
        for step in (
            self.pipeline.take(batch, Instant(at, self.minute * 60_000)),
            self.pipeline.tick(Instant(at + 1000, self.minute * 60_000 + 1000)),
            self.pipeline.tick(Instant(at + 11_000, self.minute * 60_000 + 11_000)),
        ):
            self.opened += [one.summary for change, one in step.turns if change.value == "opened"]
        self.minute += 1

    def watch(self) -> LearnedWatch:
        (watch,) = self.pipeline.watches
        assert isinstance(watch, LearnedWatch)
        return watch


@pytest.mark.parametrize("metric", [FAILURES, STARTUP, "views", VIEWERS])
def test_a_constant_series_pages_nobody(metric: str) -> None:
    stream = Stream(metric)
    for _ in range(120):
        stream.send(50.0)

    assert stream.opened == []


@pytest.mark.parametrize("metric", [FAILURES, STARTUP])
def test_zero_views_are_no_evidence(metric: str) -> None:
    stream = Stream(metric)
    dice = np.random.default_rng(1)
    for number in range(90):
        stream.send(1.0 + dice.uniform(0, 0.2), views=500)
        if number % 10 == 0:
            stream.send(100.0, views=0)

    assert stream.opened == []


@pytest.mark.parametrize("metric", [FAILURES, STARTUP, "views"])
def test_a_gap_of_days_pages_nobody(metric: str) -> None:
    stream = Stream(metric)
    dice = np.random.default_rng(2)
    for _ in range(60):
        stream.send(dice.normal(50, 1))
    stream.minute += 5 * DAY
    for _ in range(60):
        stream.send(dice.normal(50, 1))

    assert stream.opened == []


def test_a_metric_that_changes_to_a_greater_unit_pages_nobody() -> None:
    stream = Stream(STARTUP)
    dice = np.random.default_rng(3)
    for factor in (1.0, 0.001):
        for _ in range(90):
            stream.send(factor * dice.normal(1500, 50))

    assert stream.opened == []


def test_a_metric_that_changes_to_larger_numbers_pages_nobody_and_says_so() -> None:
    stream = Stream(STARTUP)
    dice = np.random.default_rng(3)
    for _ in range(400):
        stream.send(dice.normal(1.5, 0.05))
    for _ in range(2):
        stream.send(1000 * dice.normal(1.5, 0.05))
    (group, *_) = group_states(stream.watch())
    (rule,) = rule_states(stream.pipeline, [], START)
    assert group.state == "unit changed?"
    assert "may have changed their unit" in rule.why_not
    for _ in range(30):
        stream.send(1000 * dice.normal(1.5, 0.05))

    (group, *_) = group_states(stream.watch())
    assert stream.opened == []
    assert group.state == "normal"
    assert group.expected == pytest.approx(1500, rel=0.1)


@pytest.mark.parametrize(
    ("known_min", "factor", "within_min"),
    [(120, 5.0, 3), (400, 5.0, 2), (DAY, 2.0, 3), (DAY, 5.0, 2)],
)
def test_a_jump_that_is_no_unit_still_opens(known_min: int, factor: float, within_min: int) -> None:
    stream = Stream(STARTUP)
    dice = np.random.default_rng(3)
    for _ in range(known_min):
        stream.send(dice.normal(1500, 50))
    assert not stream.opened
    for _ in range(within_min):
        stream.send(factor * dice.normal(1500, 50))

    assert stream.opened


def test_a_model_of_damaged_bytes_is_refused_in_words_and_learned_anew() -> None:
    stream = Stream(FAILURES)
    for _ in range(40):
        stream.send(1.0)
    fresh = Stream(FAILURES)

    refused = restore(
        {"rule/a": b"PK\x03\x04 not an archive"},
        START,
        fresh.pipeline,
        SequenceTracker(),
        fresh.catalogue,
        Instant(START, 0),
    )
    assert len(refused) == 1
    assert refused[0].startswith("rule/a: ")
    for _ in range(40):
        fresh.send(1.0)
    assert fresh.opened == []
    assert fresh.watch().facts.intervals[0] > 0
