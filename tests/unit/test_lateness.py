from __future__ import annotations

import logging

import numpy as np
import pytest

from playwatch.core.samples import Instant
from playwatch.runtime.lateness import ENOUGH, Lateness
from playwatch.telemetry import Telemetry

START = 1_800_000_000_000


class Stream:
    """Samples of a second, each second, some of them late."""

    def __init__(self) -> None:
        self.telemetry = Telemetry()
        self._lateness = Lateness(self.telemetry)
        self._second = 0

    def send(
        self,
        seconds: int,
        *,
        late_s: float,
        more_s: float = 0.0,
        samples: int = 500,
        untimed: int = 0,
    ) -> None:
        """Send for some seconds, each time later by so much."""
        for number in range(seconds):
            age_ms = round((late_s + number * more_s) * 1000)
            self.pass_second([age_ms] * samples + [0] * untimed)

    def pass_second(self, ages_ms: list[int]) -> None:
        self._second += 1
        now = Instant(START + self._second * 1000, self._second * 1000)
        if ages_ms:
            self._lateness.note(now.at - np.array(ages_ms, np.int64), now)
        self._lateness.look(now)

    @property
    def behind_s(self) -> float | None:
        return self.telemetry.registry.get_sample_value("playwatch_behind_seconds")


@pytest.mark.parametrize(
    ("late_s", "untimed"),
    [(0.2, 0), (-3600.0, 0), (90.0, 0), (0.2, 50)],
    ids=["clocks agree", "a clock ahead", "a clock behind", "some samples without a time"],
)
def test_a_flood_that_the_broker_holds_back_is_a_metric_and_a_line_until_it_is_over(
    late_s: float, untimed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "playwatch.evaluate")
    stream = Stream()
    stream.send(120, late_s=late_s, untimed=untimed)
    assert stream.behind_s == 0
    assert not caplog.messages

    stream.send(180, late_s=late_s, more_s=0.5, untimed=untimed)
    assert stream.behind_s is not None
    assert 50 < stream.behind_s < 90
    assert 8 <= len(caplog.messages) <= 18
    assert "more come than the engine can follow" in caplog.messages[-1]

    caplog.clear()
    stream.send(60, late_s=late_s, untimed=untimed)
    assert stream.behind_s == 0
    assert caplog.messages[-1].endswith("s old, as usual again")


def test_a_flood_of_an_hour_is_told_in_full() -> None:
    stream = Stream()
    stream.send(60, late_s=0.0)
    stream.send(3600, late_s=0.0, more_s=0.5)

    assert stream.behind_s is not None
    assert stream.behind_s > 1700


def test_times_that_are_cut_to_the_minute_are_not_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = Stream()
    for second in range(1200):
        stream.pass_second([second % 60 * 1000] * 500)

    assert not caplog.messages


def test_samples_of_yesterday_are_not_behind(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    stream.send(120, late_s=0.0)
    stream.send(120, late_s=86_400)
    assert stream.behind_s == 0
    stream.send(60, late_s=0.0)

    assert stream.behind_s == 0
    assert not caplog.messages


def test_a_late_source_that_is_left_alone_is_not_behind(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    stream.send(120, late_s=0.1)
    for second in range(600):
        stream.send(1, late_s=8 + second % 7 / 10)

    assert not caplog.messages


def test_a_stream_that_ends_while_it_is_behind_is_not_behind_for_ever() -> None:
    stream = Stream()
    stream.send(60, late_s=0)
    stream.send(120, late_s=0, more_s=0.5)
    assert stream.behind_s
    stream.send(70, late_s=0, samples=0)

    assert stream.behind_s == 0


def test_a_source_that_is_always_late_is_not_behind(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    stream.send(120, late_s=300)

    assert stream.behind_s == 0
    assert not caplog.messages


def test_one_late_source_among_live_ones_is_not_behind(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    for _ in range(60):
        stream.send(1, late_s=300)
        stream.send(1, late_s=0)

    assert stream.behind_s == 0
    assert not caplog.messages


def test_a_few_late_samples_in_a_quiet_time_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    stream.send(60, late_s=0)
    stream.send(60, late_s=300, samples=ENOUGH // 100)

    assert stream.behind_s == 0
    assert not caplog.messages


def test_what_goes_on_for_longer_than_is_remembered_becomes_usual() -> None:
    stream = Stream()
    stream.send(60, late_s=0)
    stream.send(120, late_s=0, more_s=0.5)
    stream.send(120, late_s=60)
    assert stream.behind_s is not None
    assert 50 < stream.behind_s <= 60
    stream.send(700, late_s=60)

    assert stream.behind_s == 0
