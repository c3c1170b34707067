"""Silences, remarks and ends by hand at a running engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from playwatch.core.decisions import RemarkKind
from playwatch.core.deliveries import Action, Changes
from playwatch.core.routing import Route
from playwatch.core.rules import Matcher
from playwatch.demo.pages_book import Effect
from playwatch.errors import EngineError
from playwatch.runtime.desk import Desk, SilenceRequest, StoreDesk
from playwatch.store.sqlite import SqliteStore
from playwatch.web.client import at_engine
from tests.fakes import HandClock
from tests.integration.test_engine import sample, send
from tests.integration.test_reload import TOKEN, Site, asked
from tests.kit.stores import a_delivery, an_incident
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.app import Engine
    from playwatch.demo.stand_in import StandIn
    from playwatch.ports import IncidentStory

ALL = {"matchers": {"rule": "*"}, "for": "10s", "author": "ann"}


async def open_ids(site: Site) -> list[str]:
    store = await SqliteStore.open(site.path.with_name("playwatch.db"), read_only=True)
    try:
        return [incident.id for incident in await store.open_incidents()]
    finally:
        await store.close()


async def story_of(site: Site, incident_id: str) -> IncidentStory:
    store = await SqliteStore.open(site.path.with_name("playwatch.db"), read_only=True)
    try:
        story = await store.incident(incident_id)
        assert story is not None
        return story
    finally:
        await store.close()


async def opened(site: Site, engine: Engine, country: str = "SE") -> None:
    before = len(await open_ids(site))
    await send(engine, sample(9.0, country))
    await soon(
        lambda: (
            engine.telemetry.registry.get_sample_value(
                "playwatch_incidents_open", {"type": "threshold"}
            )
            == before + 1
        )
    )


async def test_a_silence_withholds_outlives_a_restart_and_tells_at_its_end(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:
        status, silence = await asked(engine, "POST", "/api/v1/silences", ALL)
        assert (status, silence["matchers"]) == (201, {"rule": "*"})
        await opened(site, engine)
        await site.clock.advance(4)
    async with site.running() as engine:
        assert [one["id"] for one in (await asked(engine, "GET", "/api/v1/silences"))[1]] == [
            silence["id"]
        ]
        await site.clock.advance(5)
        assert server.requests == 0
        await site.clock.advance(2)
        await server.wait_for_events(1)
        assert (await asked(engine, "GET", "/api/v1/silences"))[1] == []
        assert len((await asked(engine, "GET", "/api/v1/silences?all"))[1]) == 1


async def test_ending_a_silence_tells_at_once_what_it_kept_back(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:
        _, silence = await asked(engine, "POST", "/api/v1/silences", {**ALL, "for": "1d"})
        await opened(site, engine)
        path = f"/api/v1/silences/{silence['id']}"
        assert (await asked(engine, "DELETE", path, token=None))[0] == 401
        assert (await asked(engine, "DELETE", path))[0] == 200
        await server.wait_for_events(1)
        assert (await asked(engine, "DELETE", "/api/v1/silences/unknown"))[0] == 404


async def test_a_mute_window_withholds_and_a_reload_without_it_tells(
    site: Site, server: StandIn
) -> None:
    # The clock says Friday, 08:00 UTC.
    site.write(more="mute: [{name: fridays, time_zone: UTC, days: [fri], where: {country: SE}}]\n")
    async with site.running() as engine:
        await opened(site, engine)
        await opened(site, engine, "DE")
        await server.wait_for_events(1)
        site.write()
        assert (await asked(engine, "POST", "/-/reload"))[0] == 200
        await server.wait_for_events(2)
    assert ["country=DE" in one.summary for one in server.pages] == [True, False]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "matchers"),
        ({**ALL, "matchers": {}}, 422, "matchers"),
        ({**ALL, "matchers": {"country": 7}}, 422, "country"),
        ({**ALL, "matchers": {"country": []}}, 422, "country"),
        ({**ALL, "for": "soon"}, 422, "soon"),
        ({**ALL, "for": "9999999d"}, 422, "year"),
        ({**ALL, "ends_at": "2030-01-01T00:00:00Z"}, 422, "one of"),
        ({"matchers": {"rule": "*"}, "author": "a", "ends_at": "2020-01-01T00:00:00Z"}, 422, "end"),
        ({"matchers": {"rule": "*"}, "author": "a", "ends_at": "2030-01-01"}, 422, "time zone"),
        ({**ALL, "author": " "}, 422, "author"),
        ({**ALL, "author": "x" * 5000}, 422, "author"),
        ({**ALL, "colour": "red"}, 422, "colour"),
        ([1], 400, "object"),
    ],
)
async def test_a_wrong_request_is_a_problem_in_words(
    site: Site, body: object, status: int, word: str
) -> None:
    async with site.running() as engine:
        got, answer = await asked(engine, "POST", "/api/v1/silences", body)
        assert (got, answer["status"]) == (status, status)
        assert word in answer["detail"]
        assert (await asked(engine, "GET", "/api/v1/silences"))[1] == []


@pytest.mark.parametrize(
    ("payload", "status"),
    [(b"{", 400), (b"[" * 60_000, 400), (b"\xff", 400), (b" " * 70_000, 413), (b"NaN", 400)],
)
async def test_a_body_that_is_no_json_is_a_problem(site: Site, payload: bytes, status: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        site.running() as engine,
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{engine.web_url}/api/v1/silences", data=payload) as answer,
    ):
        assert answer.status == status
        assert answer.content_type == "application/problem+json"


async def desk_story(desk: Desk, site: Site, incident_id: str) -> dict[str, Any]:
    acknowledged = await desk.remark(incident_id, RemarkKind.ACKNOWLEDGED, "ann", "on it")
    noted = await desk.remark(incident_id, RemarkKind.NOTE, "bob", "CDN's fault")
    assert acknowledged is not None
    assert noted is not None
    assert await desk.remark("unknown", RemarkKind.NOTE, "bob", "x") is None
    assert await desk.resolve("unknown", "ann") is None
    standing = await desk.resolve(incident_id, "ann")
    assert standing == "closed: resolved by hand by ann"
    assert await desk.resolve(incident_id, "bob") == standing
    request = SilenceRequest((Matcher("country", ("DE",)),), site.clock.wall_ms() + 9_000, "ann")
    silence = await desk.silence(request)
    assert [one.id for one in await desk.silences()] == [silence.id]
    ended = await desk.expire(silence.id)
    assert ended is not None
    assert ended.ends_at == site.clock.wall_ms()
    assert await desk.expire("unknown") is None
    story = await story_of(site, incident_id)
    return {
        "remarks": [(one.kind.value, one.author, one.text) for one in story.remarks],
        "last": story.decisions[-1].what,
        "actions": [one.action.value for one in story.deliveries],
    }


async def test_an_engine_and_a_store_are_desks_alike(site: Site, server: StandIn) -> None:
    expected = {
        "remarks": [("acknowledged", "ann", "on it"), ("note", "bob", "CDN's fault")],
        "last": "closed",
        "actions": ["trigger", "resolve"],
    }
    async with site.running() as engine:
        await opened(site, engine)
        await opened(site, engine, "DE")
        first, second = await open_ids(site)
        await server.wait_for_events(2)
        async with at_engine(engine.web_url, TOKEN) as desk:
            assert await desk_story(desk, site, first) == expected
        await server.wait_for_events(3)

    store = await SqliteStore.open(site.path.with_name("playwatch.db"))
    try:
        assert await desk_story(StoreDesk(store, site.clock), site, second) == expected
    finally:
        await store.close()
    async with site.running():
        await server.wait_for_events(4)
    effects = [one.effect for one in server.journal]
    assert effects == [Effect.OPENED] * 2 + [Effect.RESOLVED] * 2


async def test_a_desk_keeps_the_end_from_a_channel_that_wants_none(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "playwatch.db")
    try:
        incident = an_incident()
        triggers = [a_delivery(incident, channel=name) for name in ("oncall", "chat")]
        await store.commit(Changes([incident], triggers))
        routes = [Route("oncall", ""), Route("chat", "", sends_resolves=False)]
        await StoreDesk(store, HandClock(), routes).resolve(incident.id, "ann")
        story = await store.incident(incident.id)
    finally:
        await store.close()

    assert story is not None
    ends = [one.channel for one in story.deliveries if one.action is Action.RESOLVE]
    assert ends == ["oncall"]


async def test_a_desk_far_away_says_what_is_wrong(site: Site) -> None:
    async with site.running() as engine:
        url = engine.web_url
        async with at_engine(url, "not-the-token") as desk:
            with pytest.raises(EngineError, match="that is not the token"):
                await desk.expire("x")
    async with at_engine(url, TOKEN) as desk:
        with pytest.raises(EngineError, match="does not answer"):
            await desk.silences()
