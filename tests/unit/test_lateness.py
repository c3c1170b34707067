from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from playwatch.core.samples import Instant
from playwatch.runtime.lateness import ENOUGH, Lateness
from playwatch.telemetry import Telemetry

if TYPE_CHECKING:
    import pytest

START = 1_800_000_000_000


class Stream:
    """Samples of a second, each second, some of them late."""

    def __init__(self) -> None:
        self.telemetry = Telemetry()
        self._lateness = Lateness(self.telemetry)
        self._second = 0

    def send(self, seconds: int, *, late_s: float, more_s: float = 0.0, samples: int = 500) -> None:
        """Send for some seconds, each time later by so much."""
        for number in range(seconds):
            self._second += 1
            now = Instant(START + self._second * 1000, self._second * 1000)
            age_ms = round((late_s + number * more_s) * 1000)
            self._lateness.note(now.at - age_ms, samples, now)

    @property
    def behind_s(self) -> float | None:
        return self.telemetry.registry.get_sample_value("playwatch_behind_seconds")


def test_a_flood_that_the_broker_holds_back_is_a_metric_and_a_line_until_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "playwatch.evaluate")
    stream = Stream()
    stream.send(60, late_s=0.2)
    assert stream.behind_s == 0
    assert not caplog.messages

    stream.send(60, late_s=0.2, more_s=0.5)
    assert stream.behind_s is not None
    assert stream.behind_s > 15
    assert 3 <= len(caplog.messages) <= 6
    assert "more come than the engine can follow" in caplog.messages[-1]

    caplog.clear()
    stream.send(60, late_s=0.2)
    assert stream.behind_s == 0
    assert caplog.messages[-1] == "the newest samples are 0 s old, as usual again"


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
    stream.send(60, late_s=100)
    assert stream.behind_s == 100
    stream.send(700, late_s=100)

    assert stream.behind_s == 0
