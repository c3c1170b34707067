from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from playwatch.ingest.overload import PERIOD_S, Overload
from playwatch.telemetry import MOST_SOURCES, OTHER_SOURCES, Telemetry
from tests.fakes import HandClock

if TYPE_CHECKING:
    import pytest

NAMED = {"source": "broker", "reason": "backlog_messages"}


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


async def test_a_flood_is_counted_by_reason_and_said_at_a_bounded_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "playwatch.ingest")
    clock, telemetry = HandClock(), Telemetry()
    overload = Overload("broker", clock, telemetry)

    for _ in range(100):  # a read between any two drops must not make it talk more
        for _ in range(50):
            overload.drop("backlog_messages", 10)
        overload.drop("backlog_bytes", 10)
        overload.read(5)
        await clock.advance(0.25)

    dropped = "playwatch_messages_dropped_total"
    assert value(telemetry, dropped, **NAMED) == 5_000
    assert value(telemetry, dropped, **NAMED | {"reason": "backlog_bytes"}) == 100
    assert len(caplog.records) == 25 // PERIOD_S + 1
    assert "backlog messages" in caplog.messages[0]
    assert caplog.messages[-1].endswith("; 2040 since the last such line")


async def test_the_end_of_a_flood_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "playwatch.ingest")
    clock = HandClock()
    overload = Overload("broker", clock, Telemetry())
    for _ in range(3):
        overload.drop("backlog_messages", 10)
    for _ in range(30):
        await clock.advance(1)
        overload.read(0)

    assert len(caplog.records) == 2
    assert caplog.messages[-1] == "broker: nothing is dropped any more; 2 since the last line"


async def test_falling_behind_is_a_metric_and_a_line(caplog: pytest.LogCaptureFixture) -> None:
    clock, telemetry = HandClock(), Telemetry()
    overload = Overload("broker", clock, telemetry)
    overload.read(90)
    assert value(telemetry, "playwatch_queue_wait_seconds", source="broker") == 0.09
    assert not caplog.records

    for _ in range(30):
        overload.read(2_500)
        await clock.advance(0.5)

    assert value(telemetry, "playwatch_queue_wait_seconds", source="broker") == 2.5
    assert len(caplog.records) == 2
    assert "messages wait 2.5 s to be read" in caplog.text


def test_gaps_are_counted_by_source_up_to_a_bound_and_the_sum_is_whole() -> None:
    telemetry = Telemetry()
    gaps = "playwatch_sequence_gaps_total"
    assert value(telemetry, gaps, source=OTHER_SOURCES) == 0
    for number in range(MOST_SOURCES + 300):
        telemetry.count_gaps(f"encoder-{number}", 2)
    telemetry.count_gaps("encoder-0", 3)

    assert value(telemetry, gaps, source="encoder-0") == 5
    assert value(telemetry, gaps, source=OTHER_SOURCES) == 600
    (family,) = (one for one in telemetry.registry.collect() if f"{one.name}_total" == gaps)
    assert len(family.samples) == MOST_SOURCES + 1
    assert sum(one.value for one in family.samples) == 2 * (MOST_SOURCES + 300) + 3
