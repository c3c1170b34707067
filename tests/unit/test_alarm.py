from __future__ import annotations

import asyncio

import pytest

from playwatch.runtime.alarm import Alarm
from tests.fakes import HandClock, settle


async def test_a_call_before_the_wait_ends_it_at_once() -> None:
    clock = HandClock()
    alarm = Alarm(clock)
    alarm.ring()
    alarm.ring()

    await alarm.wait(None)

    waiter = asyncio.create_task(alarm.wait(5))
    await settle()
    assert not waiter.done()
    await clock.advance(5)
    assert waiter.done()


async def test_a_call_ends_a_wait_and_its_sleep_does_not_end_the_next() -> None:
    clock = HandClock()
    alarm = Alarm(clock)
    first = asyncio.create_task(alarm.wait(5))
    await settle()
    alarm.ring()
    await first
    second = asyncio.create_task(alarm.wait(60))
    await settle()

    await clock.advance(59)

    assert not second.done()
    await clock.advance(1)
    assert second.done()


async def test_no_time_never_ends_a_wait_without_a_limit() -> None:
    clock = HandClock()
    alarm = Alarm(clock)
    waiter = asyncio.create_task(alarm.wait(None))

    await clock.advance(1e6)

    assert not waiter.done()
    alarm.ring()
    await waiter


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_wait_for_a_moment_that_has_passed_returns(seconds: float) -> None:
    await Alarm(HandClock()).wait(seconds)


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancellation_is_not_lost_while_a_wait_ends(turns: int) -> None:
    alarm = Alarm(HandClock())

    async def wait_for_ever() -> None:
        while True:
            await alarm.wait(5)

    waiter = asyncio.create_task(wait_for_ever())
    await settle()
    alarm.ring()
    await settle(turns)
    waiter.cancel()
    await settle()

    assert waiter.cancelled()
