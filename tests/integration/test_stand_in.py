from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from playwatch.demo.pagerduty_faults import FaultError, FaultKind
from playwatch.demo.pages_book import Effect
from playwatch.demo.stand_in import BODY_LIMIT, StandIn
from playwatch.errors import ListenError
from tests.fakes import HandClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "0123456789abcdef0123456789abWXYZ"
OTHER = "f" * 32


def event(
    action: str = "trigger", dedup_key: str | None = "a", **changes: object
) -> dict[str, Any]:
    payload = {"summary": "Failures", "source": "country=DE", "severity": "critical"}
    whole = {
        "routing_key": KEY,
        "event_action": action,
        "dedup_key": dedup_key,
        "payload": payload,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


class Caller:
    """Sends events and reads pages."""

    def __init__(self, session: aiohttp.ClientSession, server: StandIn) -> None:
        self.session = session
        self.server = server

    async def send(self, what: object) -> tuple[int, Any]:
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        async with self.session.post(self.server.url, data=body) as response:
            return response.status, await response.json()

    async def read(self, path: str) -> str:
        async with self.session.get(self.server.base_url + path) as response:
            assert response.status == 200
            return await response.text()


@asynccontextmanager
async def calling(server: StandIn) -> AsyncIterator[Caller]:
    async with server, aiohttp.ClientSession() as session:
        yield Caller(session, server)


async def test_an_accepted_event_is_answered_as_pagerduty_does() -> None:
    async with calling(StandIn()) as caller:
        status, body = await caller.send(event())

    assert status == 202
    assert body == {"status": "success", "message": "Event processed", "dedup_key": "a"}


async def test_a_trigger_without_a_dedup_key_is_given_one() -> None:
    async with calling(StandIn()) as caller:
        _, body = await caller.send(event(dedup_key=None))

        assert caller.server.open_keys == {body["dedup_key"]}


async def test_an_incident_lives_as_pagerdutys_do() -> None:
    async with calling(StandIn()) as caller:
        for action in ("resolve", "trigger", "trigger", "acknowledge", "trigger", "resolve"):
            assert (await caller.send(event(action)))[0] == 202
        await caller.send(event("acknowledge"))
        await caller.send(event())
        server = caller.server

        assert [entry.effect for entry in server.journal] == [
            Effect.DROPPED,
            Effect.OPENED,
            Effect.REPEATED,
            Effect.ACKNOWLEDGED,
            Effect.REPEATED,
            Effect.RESOLVED,
            Effect.DROPPED,
            Effect.OPENED,
        ]
        assert [page.status for page in server.pages] == ["resolved", "open"]
        assert server.triggers == 4
        assert server.resolves == 2
        assert server.count("resolve", Effect.DROPPED) == 1


async def test_events_match_only_under_one_routing_key() -> None:
    async with calling(StandIn()) as caller:
        await caller.send(event())
        await caller.send(event("resolve", routing_key=OTHER))

        assert len(caller.server.opened(KEY)) == 1
        assert caller.server.opened(OTHER) == []


def payload(**changes: object) -> dict[str, object]:
    whole = {"summary": "s", "source": "s", "severity": "info", **changes}
    return {"payload": {name: value for name, value in whole.items() if value is not None}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"routing_key": ""}, "'routing_key' is missing or blank"),
        (
            {"routing_key": "a" * 20},
            "Length of 'routing_key' is incorrect (should be 32 characters)",
        ),
        ({"routing_key": "-" * 32}, "'routing_key' cannot contain non-alphanumeric characters."),
        ({"event_action": "0"}, "'event_action' is invalid (must be one of"),
        ({"event_action": ""}, "'event_action' is missing or blank"),
        ({"event_action": "resolve", "dedup_key": ""}, "'dedup_key' is missing or blank"),
        ({"dedup_key": "k" * 256}, "'dedup_key' is too long"),
        ({"dedup_key": 7}, "'dedup_key' is missing or blank"),
        ({"payload": "text"}, "'payload' is missing or blank"),
        (payload(source=" "), "'payload.source' is missing or blank"),
        (payload(summary=None), "'payload.summary' is missing or blank"),
        (payload(summary="x" * 1025), "'payload.summary' is too long"),
        (payload(severity="bogus"), "'payload.severity' is invalid (must be one of"),
        (payload(severity=None), "'payload.severity' is missing or blank"),
        (payload(custom_details=["a"]), "'payload.custom_details' is invalid"),
        (payload(group=7), "'payload.group' is invalid"),
    ],
)
async def test_what_pagerduty_refuses_is_refused_in_its_words(
    change: dict[str, object], sentence: str
) -> None:
    async with calling(StandIn()) as caller:
        status, body = await caller.send({**event(), **change})

        assert status == 400
        assert body["status"] == "invalid event"
        assert body["message"] == "Event object is invalid"
        assert any(error.startswith(sentence) for error in body["errors"])
        assert caller.server.pages == []
        assert caller.server.journal[0].effect is Effect.REFUSED


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    async with calling(StandIn()) as caller:
        assert (await caller.send(body))[0] == 400


async def test_a_body_above_the_limit_is_refused() -> None:
    async with calling(StandIn()) as caller:
        size = len(json.dumps(event(padding="")))
        within = event(padding="x" * (BODY_LIMIT - size))

        assert (await caller.send(within))[0] == 202
        assert (await caller.send(event(padding="x" * (BODY_LIMIT - size + 1))))[0] == 413


async def test_the_rate_limit_slides_over_a_minute_for_each_key() -> None:
    clock = HandClock()
    async with calling(StandIn(rate_limit=3, clock=clock)) as caller:
        statuses = []
        for pause in (0, 30, 0, 0, 29.9, 0.2, 0):
            await clock.advance(pause)
            statuses.append((await caller.send(event()))[0])
        other, _ = await caller.send(event(routing_key=OTHER))

    assert statuses == [202, 202, 202, 429, 429, 202, 429]
    assert other == 202


async def test_without_a_limit_everything_is_accepted() -> None:
    async with calling(StandIn(rate_limit=None)) as caller:
        statuses = {(await caller.send(event()))[0] for _ in range(130)}

    assert statuses == {202}


async def test_faults_strike_in_order_and_only_whom_they_are_meant_for() -> None:
    async with calling(StandIn()) as caller:
        caller.server.fail("status", status=503, action="resolve")
        caller.server.fail(FaultKind.STATUS, status=500, skip=1)
        caller.server.fail("status", status=429, headers={"Retry-After": "7"}, routing_key="WXYZ")
        answers = [
            (await caller.send(event(action, routing_key=key)))[0]
            for action, key in (
                ("trigger", OTHER),
                ("resolve", OTHER),
                ("trigger", OTHER),
                ("trigger", OTHER),
                ("trigger", KEY),
                ("trigger", KEY),
            )
        ]

    assert answers == [202, 503, 500, 202, 429, 202]


async def test_a_fault_that_loses_the_answer_still_opens_the_incident() -> None:
    async with calling(StandIn()) as caller:
        for kind in ("accept_then_reset", "short_body", "reset_in_body"):
            caller.server.fail(kind)
            with pytest.raises((aiohttp.ClientError, OSError)):
                await caller.send(event(dedup_key=kind))
        caller.server.fail("reset")
        with pytest.raises((aiohttp.ClientError, OSError)):
            await caller.send(event(dedup_key="reset"))

        assert caller.server.open_keys == {"accept_then_reset", "short_body", "reset_in_body"}


async def test_a_hanging_client_does_not_hold_up_the_close() -> None:
    server = StandIn()
    async with calling(server) as caller:
        server.fail("hang", times=None)
        sending = asyncio.create_task(caller.send(event()))
        await server.wait_for_events(1)
        await server.close()

        with pytest.raises((aiohttp.ClientError, OSError)):
            await sending


async def test_faults_can_be_scripted_over_http() -> None:
    async with calling(StandIn()) as caller:
        faults = f"{caller.server.base_url}/faults"
        script = [{"kind": "status", "status": 503, "times": 2}, {"kind": "html"}]
        async with caller.session.post(faults, json=script) as response:
            assert response.status == 201
        assert (await caller.send(event()))[0] == 503
        assert [fault["kind"] for fault in json.loads(await caller.read("/faults"))] == [
            "status",
            "html",
        ]
        async with caller.session.delete(faults) as response:
            assert response.status == 204
        assert (await caller.send(event()))[0] == 202


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "not JSON"),
        (b'["hang"]', "not an object"),
        (b'{"kind": "meteor"}', "one of status, hang"),
        (b'{"kind": "hang", "tims": 1}', "unknown keys: tims"),
        (b'{"kind": "status", "status": 42}', "wrong value for status"),
        (b'{"kind": "status", "times": 0}', "wrong value for times"),
        (b'{"kind": "status", "headers": {"A": "b\\r\\nC: d"}}', "wrong value for headers"),
    ],
)
async def test_a_wrong_script_is_refused_with_its_mistake(body: bytes, sentence: str) -> None:
    async with calling(StandIn()) as caller:
        headers = {"Content-Type": "application/json"}
        url = f"{caller.server.base_url}/faults"
        async with caller.session.post(url, data=body, headers=headers) as response:
            assert response.status == 400
            assert sentence in await response.text()
        assert caller.server.faults.left == []


async def test_a_script_that_another_origins_form_could_send_is_refused() -> None:
    async with calling(StandIn()) as caller:
        url = f"{caller.server.base_url}/faults"
        async with caller.session.post(url, data=b'{"kind": "hang"}') as response:
            assert response.status == 415


def test_a_wrong_fault_is_an_error_in_a_test_too() -> None:
    with pytest.raises(FaultError, match="wrong value for skip"):
        StandIn().fail("hang", skip=-1)


async def test_no_view_tells_a_routing_key() -> None:
    async with calling(StandIn()) as caller:
        await caller.send(event())
        await caller.send(event(routing_key="wrong-key-secret"))
        views = [await caller.read(path) for path in ("/", "/incidents", "/journal", "/faults")]

    assert KEY not in "".join(views)
    assert "wrong-key-secret" not in "".join(views)
    assert "…WXYZ" in views[0]
    assert json.loads(views[2])[0]["effect"] == "opened"


async def test_the_page_escapes_what_it_was_sent() -> None:
    async with calling(StandIn()) as caller:
        await caller.send({**event(), **payload(summary="<script>alert(1)</script>")})
        page = await caller.read("/")

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_a_waiting_test_is_woken_by_the_request_it_waits_for() -> None:
    async with calling(StandIn()) as caller:
        waiting = asyncio.create_task(caller.server.wait_for(lambda server: bool(server.pages)))
        await caller.send(event("resolve"))
        assert not waiting.done()
        await caller.send(event())
        await waiting


async def test_the_journal_is_bounded_and_the_counts_are_not() -> None:
    async with calling(StandIn(journal_limit=2)) as caller:
        for _ in range(5):
            await caller.send(event())

        assert len(caller.server.journal) == 2
        assert caller.server.requests == 5
        assert caller.server.triggers == 5


async def test_one_client_too_many_is_turned_away() -> None:
    async with StandIn(connection_limit=1) as server:
        port = int(server.base_url.rpartition(":")[2])
        _, first = await asyncio.open_connection("127.0.0.1", port)
        first.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await first.drain()
        reader, second = await asyncio.open_connection("127.0.0.1", port)

        assert await reader.read() == b""
        for writer in (first, second):
            writer.close()


async def test_an_address_in_use_is_an_error_that_names_it() -> None:
    async with StandIn() as server:
        port = int(server.base_url.rpartition(":")[2])

        with pytest.raises(ListenError, match=f"127.0.0.1:{port}"):
            await StandIn(port=port).start()
