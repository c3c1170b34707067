"""Mux's official client, unchanged, asks our server; and the same by hand."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import mux_python
import pytest
from mux_python.exceptions import ApiException, NotFoundException, UnauthorizedException

from playwatch.core.deliveries import Action, Changes, DeliveryStatus
from playwatch.core.incidents import Status
from playwatch.core.rules import AlertType, Severity
from playwatch.ports import AttemptRecord
from playwatch.store.memory import MemoryStore
from playwatch.web.mux import MuxIncidents
from tests.fakes import HandClock
from tests.kit.stores import T0, a_delivery, an_incident
from tests.served import READER, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")
FIELDS = set(mux_python.Incident.openapi_types)


async def filled() -> MemoryStore:
    store = MemoryStore()
    small = an_incident(
        "small",
        opened_at=T0 - 50,
        severity=Severity.WARNING,
        affected_viewers=3,
        measured_value=1.5,
    )
    closed = an_incident(
        "closed",
        opened_at=T0 - 100,
        alert_type=AlertType.ANOMALY,
        breakdowns=(),
        measured_value=2.0,
    ).ended(Status.CLOSED, reason="", resolved_at=T0 - 1, ended_at=T0, value=0.5)
    silent = an_incident(
        "silent",
        opened_at=T0 - 500_000_000,
        measurement="views",
        measured_value=math.nan,
        threshold=math.nan,
        is_silence=True,
        breakdowns=(("country", "SE"),),
    ).ended(Status.EXPIRED, reason="", resolved_at=T0, ended_at=T0 - 400_000_000, value=None)
    newest = an_incident("newest", summary="Failures 6.5 % in DE")
    trigger = a_delivery(newest)
    pending = a_delivery(newest, Action.RESOLVE)
    await store.commit(Changes([small, closed, silent, newest], [trigger, pending]))
    sent = replace(trigger, attempts=1, status=DeliveryStatus.SENT)
    await store.record([AttemptRecord(sent, T0 + 250, 12.0, "sent")])
    return store


@pytest.fixture
async def url() -> AsyncIterator[str]:
    clock = HandClock()
    part = MuxIncidents(await filled(), clock)
    async with served(part, clock=clock, has_tokens=True, anonymous_read=False) as url:
        yield url


async def called(
    url: str, call: Callable[[mux_python.IncidentsApi], T], secret: str | None = READER
) -> T:
    """Let the client do its blocking work in a thread."""

    def work() -> T:
        asks = mux_python.Configuration(
            host=url, username=None if secret is None else "wall", password=secret
        )
        with mux_python.ApiClient(asks) as client:
            try:
                return call(mux_python.IncidentsApi(client))
            finally:
                client.rest_client.pool_manager.clear()

    return await asyncio.to_thread(work)


def ids(answer: mux_python.ListIncidentsResponse) -> list[str]:
    return [one.id for one in answer.data]


async def test_the_client_lists_with_every_field(url: str) -> None:
    answer = await called(url, lambda api: api.list_incidents())

    assert ids(answer) == ["newest", "small", "closed", "silent"]
    assert answer.total_row_count == 4
    assert answer.timeframe == [T0 // 1000 - 86_400, T0 // 1000]
    one = answer.data[0]
    assert (one.status, one.severity, one.measurement) == ("open", "alert", "error_rate")
    assert (one.measured_value, one.threshold, one.measured_value_on_close) == (6.5, 5.0, None)
    assert (one.sample_size, one.sample_size_unit) == (1000, "views")
    assert (one.affected_views, one.affected_views_per_hour) == (65, 1950)
    assert one.impact == "*65* views are affected so far, *1950* an hour"
    assert one.description == "Failures 6.5 % in DE"
    assert [(pair.name, pair.value) for pair in one.breakdowns] == [("country", "DE")]
    assert (one.started_at, one.resolved_at) == ("2027-01-15T07:58:00.000000Z", None)
    (told,) = one.notifications
    assert (told.id, told.attempted_at) == (1, "2027-01-15T08:00:00.250000Z")
    assert answer.data[1].severity == "warning"
    assert answer.data[2].impact.startswith("*65* views were affected")
    assert answer.data[2].resolved_at == "2027-01-15T07:59:59.999000Z"
    assert answer.data[3].measured_value is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"limit": 2}, ["newest", "small"]),
        ({"limit": 3, "page": 2}, ["silent"]),
        ({"limit": 3, "page": 3}, []),
        ({"page": 2_147_483_647}, []),
        ({"status": "open"}, ["newest", "small"]),
        ({"status": "closed"}, ["closed"]),
        ({"status": "expired"}, ["silent"]),
        ({"severity": "warning"}, ["small"]),
        ({"status": "open", "severity": "alert"}, ["newest"]),
        ({"order_by": "value", "order_direction": "asc"}, ["silent", "small", "closed", "newest"]),
        ({"order_by": "views", "limit": 1, "order_direction": "asc"}, ["small"]),
        ({"order_by": "negative_impact", "limit": 1}, ["silent"]),
        ({"order_by": "field", "order_direction": "asc"}, ["silent", "closed", "small", "newest"]),
    ],
)
async def test_the_client_pages_filters_and_sorts(
    url: str, asked: dict[str, Any], expected: list[str]
) -> None:
    answer = await called(url, lambda api: api.list_incidents(**asked))

    assert ids(answer) == expected


async def test_the_client_gets_one_and_what_is_related(url: str) -> None:
    one = await called(url, lambda api: api.get_incident("newest"))
    assert (one.data.id, one.total_row_count) == ("newest", 1)
    related = await called(url, lambda api: api.list_related_incidents("newest"))
    assert ids(related) == ["small", "closed"]
    related = await called(url, lambda api: api.list_related_incidents("newest", limit=1, page=2))
    assert (ids(related), related.total_row_count) == (["closed"], 2)


async def test_a_host_with_a_slash_at_its_end_works(url: str) -> None:
    assert len((await called(url + "/", lambda api: api.list_incidents())).data) == 4
    assert (await called(url + "/", lambda api: api.get_incident("small"))).data.id == "small"


@pytest.mark.parametrize("secret", [None, "wrong-token-entirely"])
async def test_the_client_hears_that_it_is_not_let_in(url: str, secret: str | None) -> None:
    with pytest.raises(UnauthorizedException) as told:
        await called(url, lambda api: api.list_incidents(), secret)
    assert told.value.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("name", ["unknown", "../newest", "new/est", "é\0", "%00", " "])
async def test_the_client_hears_of_what_there_is_not(url: str, name: str) -> None:
    with pytest.raises(NotFoundException):
        await called(url, lambda api: api.get_incident(name))
    with pytest.raises(NotFoundException):
        await called(url, lambda api: api.list_related_incidents(name))


@pytest.mark.parametrize(
    "asked",
    [
        {"status": "bogus"},
        {"severity": "critical"},
        {"order_by": "time"},
        {"order_direction": "up"},
        {"limit": 0},
        {"limit": 101},
        {"limit": 10**30},
        {"page": 0},
        {"page": 2**31},
        {"page": "one"},
    ],
)
async def test_what_cannot_be_asked_is_refused_in_mux_s_shape(
    url: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(ApiException) as told:
        await called(url, lambda api: api.list_incidents(**asked))
    assert told.value.status == 400
    headers = {"Authorization": aiohttp.encode_basic_auth("wall", READER)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{url}/data/v1/incidents", params=asked) as answer,
    ):
        error = (await answer.json())["error"]
    assert error["type"] == "invalid_parameters"
    assert next(iter(asked)) in error["messages"][0]


async def test_by_hand_every_field_is_there_with_its_type(url: str) -> None:
    """All 21 are required in Mux's description, and some may be null."""
    headers = {"Authorization": aiohttp.encode_basic_auth("wall", READER)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{url}//data/v1/incidents?timeframe[]=24:hours") as answer,
    ):
        assert answer.content_type == "application/json"
        listed = await answer.json()
    assert set(listed) == {"data", "timeframe", "total_row_count"}
    for one in listed["data"]:
        assert set(one) >= FIELDS
        assert len(FIELDS) == 21
        null = {name for name in FIELDS if one[name] is None}
        assert null <= {"measured_value", "measured_value_on_close", "resolved_at"}
        for name in ("sample_size", "affected_views", "affected_views_per_hour"):
            assert type(one[name]) is int
        assert type(one["threshold"]) is float
