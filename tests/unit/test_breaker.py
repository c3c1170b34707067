from __future__ import annotations

from playwatch.core.breaker import NEWS_MS, THRESHOLD, CircuitBreaker


def half() -> float:
    return 0.5


def opened(now_ms: int = 0) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(THRESHOLD):
        breaker.fail(now_ms, half, is_probe=breaker.begin())
    return breaker


def test_fewer_failures_in_a_row_than_the_threshold_close_nothing() -> None:
    breaker = CircuitBreaker()

    for _ in range(THRESHOLD - 1):
        breaker.fail(0, half, is_probe=breaker.begin())
    breaker.succeed()
    for _ in range(THRESHOLD - 1):
        breaker.fail(0, half, is_probe=breaker.begin())

    assert not breaker.is_open
    assert breaker.opens_at(0) == 0


def test_failures_in_a_row_open_it_and_the_waits_for_a_probe_double_to_a_minute() -> None:
    breaker, now_ms, waits = opened(), 0, []

    for _ in range(6):
        probe_ms = breaker.opens_at(now_ms)
        assert probe_ms is not None
        waits.append((probe_ms - now_ms) / 1000)
        now_ms = probe_ms
        breaker.fail(now_ms, half, is_probe=breaker.begin())

    assert waits == [8, 16, 30, 30, 30, 30]


def test_one_probe_at_a_time() -> None:
    breaker = opened()

    assert breaker.begin()

    assert breaker.opens_at(10**9) is None


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = opened()
    breaker.begin()

    breaker.succeed()

    assert not breaker.is_open
    assert not breaker.begin()


def test_failures_of_calls_from_before_it_opened_count_for_nothing() -> None:
    breaker = opened()
    before = breaker.opens_at(0)

    for _ in range(30):
        breaker.fail(1_000, half, is_probe=False)

    assert breaker.opens_at(0) == before


def test_a_new_message_is_the_next_probe_but_not_more_often_than_that() -> None:
    breaker = opened()
    for _ in range(8):
        breaker.fail(100_000, half, is_probe=breaker.begin())

    breaker.hurry()
    assert breaker.opens_at(100_000) == 100_000 + NEWS_MS
    assert breaker.opens_at(110_000) == 110_000

    breaker.fail(110_000, half, is_probe=breaker.begin())
    assert breaker.opens_at(110_000) == 140_000
