"""Faults 1, 2, 6 to 9, 12, 13 and 24: what comes back, or does not, for one request."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Action, DeliveryStatus
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import StandIn
from tests.delivering import (
    OTHER_KEY,
    Impatient,
    asleep,
    delivering,
    message,
    pagerduty,
    put,
    status_of,
    turn,
    until_ended,
)
from tests.fakes import settle
from tests.faults.truth import accepted, assert_true, busiest_minute, incidents
from tests.kit.channels import KEY
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.ports import Store
    from tests.fakes import HandClock


@pytest.mark.parametrize(
    ("kind", "is_ingested"),
    [
        pytest.param("hang", False, id="1"),
        pytest.param("accept_then_hang", True, id="2-hang"),
        pytest.param("accept_then_reset", True, id="2-reset"),
        pytest.param("reset", False, id="6-reset"),
        pytest.param("slow_headers", False, id="8-headers"),
        pytest.param("garbage", False, id="9-garbage"),
    ],
)
async def test_without_an_answer_the_same_bytes_go_once_more(
    store: Store, clock: HandClock, *, kind: str, is_ingested: bool
) -> None:
    first, second = incidents(2)
    async with StandIn(clock=clock) as server:
        server.fail(kind)
        async with delivering(store, clock, Impatient(server, clock)) as outbox:
            await put(store, outbox, message(first), message(first, Action.RESOLVE))
            await turn(clock, lambda: server.resolves == 1)
            await put(store, outbox, message(second))
            await turn(clock, lambda: len(server.pages) == 2)

        once, again = server.journal[:2]
        assert (once.event, once.size) == (again.event, again.size)
        assert again.effect is (Effect.REPEATED if is_ingested else Effect.OPENED)
        assert_true(server, [second])


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("reset_in_body", id="6-reset"),
        pytest.param("short_body", id="6-short"),
        pytest.param("close", id="7-close"),
        pytest.param("stale", id="7-stale"),
        pytest.param("slow_body", id="8-body"),
    ],
)
async def test_what_was_answered_202_is_delivered_whatever_follows(
    store: Store, clock: HandClock, kind: str
) -> None:
    first, second = incidents(2)
    async with StandIn(clock=clock) as server:
        server.fail(kind)
        async with delivering(store, clock, Impatient(server, clock)) as outbox:
            await put(store, outbox, message(first))
            await until_ended(store, message(first))
            await put(store, outbox, message(second))
            await until_ended(store, message(second))
            await put(store, outbox, message(first, Action.RESOLVE))
            await until_ended(store, message(first, Action.RESOLVE))

            assert clock.monotonic_ms() == 0  # nothing counted as a failure and waited
            assert outbox.complaints() == {}
        assert accepted(server) == [
            "trigger critical-0",
            "trigger critical-1",
            "resolve critical-0",
        ]
        assert_true(server, [second])


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "html"}, id="9-html"),
        pytest.param({"kind": "status", "status": 204}, id="9-204"),
        pytest.param({"kind": "status", "status": 200}, id="9-200"),
        pytest.param({"kind": "status", "status": 400, "body": "routing_key"}, id="13-400"),
        pytest.param({"kind": "status", "status": 401}, id="13-401"),
        pytest.param({"kind": "status", "status": 403}, id="13-403"),
        pytest.param({"kind": "status", "status": 404}, id="13-404"),
    ],
)
async def test_what_every_event_would_meet_holds_the_queue_until_it_is_gone(
    store: Store, clock: HandClock, fault: dict[str, object]
) -> None:
    first, second = incidents(2)
    async with StandIn(clock=clock) as server:
        server.fail(times=None, routing_key=KEY[-8:], **fault)  # type: ignore[arg-type] # `kind` is in it
        channels = (pagerduty(server.url, clock), pagerduty(server.url, clock, "other", OTHER_KEY))
        async with delivering(store, clock, *channels) as outbox:
            await put(store, outbox, message(first), message(first, channel="other"))
            await soon(outbox.complaints)
            await put(store, outbox, message(first, Action.RESOLVE), message(second))
            await put(store, outbox, message(first, Action.RESOLVE, "other"))
            await server.wait_for(lambda it: it.resolves == 1)
            await settle()  # the lane that waits has heard of what came since
            await asleep(clock)
            await clock.advance(59)
            await asleep(clock)
            assert server.requests == 3
            assert list(outbox.complaints()) == ["on-call"]

            server.faults.clear()
            await turn(clock, lambda: server.resolves == 2 and len(server.pages) == 3)
            await soon(lambda: not outbox.complaints())
            assert clock.monotonic_ms() == 60_000
        assert_true(server, [second])


async def test_a_redirect_gets_no_key(store: Store, clock: HandClock) -> None:
    (incident,) = incidents(1)
    async with StandIn(clock=clock) as elsewhere, StandIn(clock=clock) as server:
        server.fail("redirect", location=elsewhere.url)
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, message(incident))
            await soon(outbox.complaints)
            assert "never followed" in outbox.complaints()["on-call"]
            await turn(clock, lambda: server.triggers == 1)

        assert elsewhere.requests == 0
        assert_true(server, [incident])


@pytest.mark.parametrize(
    "said",
    [
        "'payload.severity' is invalid (must be one of the following: critical, error, ...)",
        "'payload.source' is missing or blank",
        "Event object is too large",
    ],
)
async def test_an_event_that_is_refused_goes_in_its_least_form_and_is_then_given_up(
    store: Store, clock: HandClock, said: str
) -> None:
    bad, least, good = incidents(3)
    body = json.dumps({"status": "invalid event", "errors": [said]})
    refusal: dict[str, object] = {"status": 413 if "large" in said else 400, "body": body}
    async with StandIn(clock=clock) as server:
        server.fail("status", times=None, dedup_key=bad.dedup_key, **refusal)
        server.fail("status", dedup_key=least.dedup_key, **refusal)
        async with delivering(store, clock, pagerduty(server.url, clock)) as outbox:
            await put(store, outbox, *map(message, (bad, least, good)))
            await until_ended(store, *map(message, (bad, least, good)))

            assert await status_of(store, message(bad)) is DeliveryStatus.DEAD
            assert outbox.given_up() == {"on-call": 1}
            assert outbox.complaints() == {}
        sizes = [one.size for one in server.journal if one.dedup_key == least.dedup_key]
        assert len(sizes) == 2
        assert sizes[1] < sizes[0]
        assert sum(one.dedup_key == bad.dedup_key for one in server.journal) == 2
        assert_true(server, [least, good])


async def test_what_was_refused_stays_in_its_least_form_whatever_follows_and_over_a_restart(
    store: Store, clock: HandClock
) -> None:
    (incident,) = incidents(1)
    async with StandIn(clock=clock) as server:
        server.fail("status", status=400)
        server.fail("status", status=503, times=2)
        await put(store, None, message(incident))
        for requests in (2, 3):
            async with delivering(store, clock, pagerduty(server.url, clock)):
                await server.wait_for_events(requests)
                await asleep(clock)
        async with delivering(store, clock, pagerduty(server.url, clock)):
            await until_ended(store, message(incident))

        assert [one.status for one in server.journal] == [400, 503, 503, 202]
        whole, *least = (one.size for one in server.journal)
        assert len(set(least)) == 1
        assert least[0] < whole
        assert_true(server, [incident])


async def test_the_least_form_counts_as_a_request_of_its_own(
    store: Store, clock: HandClock
) -> None:
    storm = incidents(80)
    async with StandIn(clock=clock) as server:
        for one in storm:
            server.fail("status", status=400, dedup_key=one.dedup_key)
        channel = pagerduty(server.url, clock)
        limits: dict[str, int | None] = {"on-call": 100}
        async with delivering(store, clock, channel, rate_limits=limits) as outbox:
            await put(store, outbox, *map(message, storm))
            await turn(clock, lambda: server.requests == 160)
            await until_ended(store, *map(message, storm))
        assert busiest_minute(server) <= 100
        assert_true(server, storm)


@asynccontextmanager
async def chatty(answers: list[bytes]) -> AsyncIterator[tuple[str, list[int]]]:
    """Yield the URL of a receiver that writes each of these for one request.

    And, for each request, the number of the connection it came by.
    """
    came_by: list[int] = []
    connections = iter(range(100))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(connections)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                answer = answers[len(came_by)]
                came_by.append(number)
                if b"early" in answer:
                    writer.write(answer)
                    break
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2/enqueue", came_by


def answer(status: str, text: str = "{}") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


async def test_a_second_answer_on_the_pipe_is_not_taken_for_that_of_the_next_event(
    store: Store, clock: HandClock
) -> None:
    first, second = incidents(2)
    twice = answer("202 Accepted") + answer("400 Bad Request", "this is of nobody")
    async with chatty([twice, answer("202 Accepted")]) as (url, came_by):
        async with delivering(store, clock, pagerduty(url, clock)) as outbox:
            await put(store, outbox, message(first))
            await until_ended(store, message(first))
            await put(store, outbox, message(second))
            await until_ended(store, message(second))
            assert outbox.given_up() == {}
            assert await status_of(store, message(second)) is DeliveryStatus.SENT
        assert came_by == [0, 1]  # the connection was dropped


async def test_an_answer_before_the_event_was_read_counts_and_ends_the_connection(
    store: Store, clock: HandClock
) -> None:
    first, second = incidents(2)
    early = answer("202 Accepted", '"early"')
    async with chatty([early, answer("202 Accepted")]) as (url, came_by):
        async with delivering(store, clock, pagerduty(url, clock)) as outbox:
            await put(store, outbox, message(first))
            await until_ended(store, message(first))
            await put(store, outbox, message(second))
            await until_ended(store, message(second))
            assert await status_of(store, message(first)) is DeliveryStatus.SENT
        assert came_by == [0, 1]
