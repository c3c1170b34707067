"""Faults 21 and 22: facts that no receiver can read as they are, and clocks that step."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from playwatch.core.deliveries import Action
from playwatch.demo.stand_in import BODY_LIMIT, StandIn
from tests.delivering import (
    asleep,
    delivering,
    gaps_s,
    message,
    pagerduty,
    put,
    turn,
    until_ended,
)
from tests.faults.truth import assert_true, incidents
from tests.kit.stores import an_incident

if TYPE_CHECKING:
    from playwatch.demo.pages_book import Entry
    from playwatch.ports import Store
    from tests.fakes import HandClock

MANY = tuple((f"name-{number}", f"value-{number}") for number in range(100_000))
RUNES = "e\u0301👩‍👩‍👧‍👦漢字" * 500


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"breakdowns": (("video_title", "x" * 2_000_000),)}, id="2 MB"),
        pytest.param({"breakdowns": MANY}, id="100,000 keys"),
        pytest.param({"summary": RUNES}, id="5,000 runes"),
        pytest.param({"summary": "x" * 1_022 + "👩‍👩‍👧‍👦"}, id="emoji at the cut"),
        pytest.param({"summary": "x" * 1_023 + "e\u0301"}, id="combining mark at the cut"),
        pytest.param({"measured_value": math.nan, "threshold": math.inf}, id="NaN"),
        pytest.param({"breakdowns": (("cdn", "a\x00b\x1b[31m"),)}, id="NUL"),
        pytest.param({"rule": "", "summary": " ", "breakdowns": ()}, id="blank"),
        pytest.param({"summary": "[" * 1_000 + "]" * 1_000}, id="nested"),
    ],
)
async def test_an_event_is_sendable_whatever_the_facts_are(
    store: Store, clock: HandClock, facts: dict[str, Any]
) -> None:
    hostile, good = an_incident("hostile", **facts), an_incident("good")
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(hostile), message(good))
            await until_ended(store, message(hostile), message(good))
            await put(store, outbox, message(hostile, Action.RESOLVE))
            await until_ended(store, message(hostile, Action.RESOLVE))

        assert [one.status for one in server.journal] == [202] * 3
        for entry in server.journal:
            assert entry.size <= BODY_LIMIT
            assert 0 < len(payload_of(entry)["summary"].strip()) <= 1_024
            json.dumps(entry.event, allow_nan=False)
        assert_true(server, [good])


def payload_of(entry: Entry) -> dict[str, Any]:
    assert entry.event is not None
    payload = entry.event["payload"]
    assert isinstance(payload, dict)
    return payload


async def test_a_text_without_utf8_is_refused_by_the_store_and_sent_by_the_channel(
    clock: HandClock,
) -> None:
    """A lone surrogate cannot come in by a codec, nor be stored; a channel copes all the same."""
    async with StandIn(clock=clock) as server:
        channel = pagerduty(server.url, clock)
        await channel.send(message(an_incident("lone", summary="\ud800")))
        await channel.close()
        assert [page.summary for page in server.pages] == ["\ufffd"]


@pytest.mark.parametrize("step_s", [-3_600, 3_600])
async def test_a_clock_that_steps_an_hour_neither_delays_nor_hastens(
    store: Store, clock: HandClock, step_s: float
) -> None:
    first, second = incidents(2)
    async with StandIn(clock=clock) as server:
        server.fail("status", status=503, headers={"Retry-After": "20"})
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(first))
            await server.wait_for_events(1)
            await asleep(clock)
            clock.step_wall(step_s)
            await put(store, outbox, message(second))
            await put(store, outbox, message(first, Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 1)

        assert gaps_s(server)[:2] == [20, 0]
        assert_true(server, [second])


@pytest.mark.parametrize(
    ("at", "told"),
    [
        pytest.param(1_774_746_000_000, "2026-03-29T01:00:00.000Z", id="spring"),
        pytest.param(1_792_890_000_000, "2026-10-25T01:00:00.000Z", id="autumn"),
    ],
)
async def test_moments_are_told_in_utc_when_local_clocks_change(
    store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch, at: int, told: str
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    incident = an_incident(started_at=at)
    async with StandIn(clock=clock) as server:
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(incident))
            await until_ended(store, message(incident))

        payload = payload_of(server.journal[0])
        assert payload["timestamp"] == told
        details = payload["custom_details"].items()
        moments = [value for name, value in details if name.endswith("_at")]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one) for one in moments)
        assert_true(server, [incident])
