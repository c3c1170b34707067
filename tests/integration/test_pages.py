"""The pages of a running engine, read as a browser without JavaScript reads them."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from playwatch.core.deliveries import Changes
from playwatch.core.incidents import Cause, Status
from playwatch.core.rules import AlertType
from playwatch.store.sqlite import SqliteStore
from playwatch.web.nav import NAV
from tests.integration.test_engine import ready, sample, send, settings_in
from tests.kit.stores import T0, an_incident
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.app import Engine
    from tests.fakes import HandClock

HOSTILE = '"><script>alert(1)</script>\u202e' + "y" * 150


@pytest.fixture
async def engine(tmp_path: Path, clock: HandClock) -> AsyncIterator[Engine]:
    async with ready(settings_in(tmp_path), clock) as engine:
        yield engine


async def page(engine: Engine, path: str, **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(engine.web_url + path, headers=headers, allow_redirects=False) as response,
    ):
        return response.status, await response.text()


async def opened(engine: Engine, country: str = "SE", value: float = 9.0) -> None:
    await send(engine, sample(value, country))
    await soon(
        lambda: engine.telemetry.registry.get_sample_value(
            "playwatch_incidents_open", {"type": "threshold"}
        )
    )


class Outline(HTMLParser):
    """Tags that are open at the end, and every address of a page."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "path", "rect", "line"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.mismatched: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for key, value in attrs if key in {"href", "src", "action"}]
        self.handlers += [key for key, _ in attrs if key.startswith("on") or key == "style"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)


@pytest.mark.parametrize("path", [f"/{path}" for path, _ in NAV])
async def test_every_page_is_there_well_formed_and_relative(engine: Engine, path: str) -> None:
    for _ in range(2):
        status, text = await page(engine, path)
        outline = Outline(text)

        assert status == 200
        assert (outline.open, outline.mismatched, outline.handlers) == ([], [], [])
        assert all(one.startswith("./") for one in outline.addresses if not one.startswith("#"))
        await opened(engine)


async def test_the_front_leads_to_the_incidents_below_any_prefix(engine: Engine) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{engine.web_url}/", allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (303, "incidents")


async def test_empty_pages_say_what_to_do_first(engine: Engine) -> None:
    publish = f"playwatch publish --url {engine.broker_url}"
    for path, words in (
        ("/incidents", f"{publish} --metric"),
        ("/series", f"{publish} --metric"),
        ("/silences", "playwatch silence add"),
        ("/rules/playback-failures", f"{publish} --metric playback_failure_percentage"),
        ("/rules", "Learned as soon as samples of them come: playback failure percentage"),
        ("/model", "Learned as soon as samples of them come: playback failure percentage"),
    ):
        assert words in (await page(engine, path))[1]


async def test_an_incident_is_listed_and_told_in_full(engine: Engine, clock: HandClock) -> None:
    await opened(engine)
    await clock.advance(2)
    _, text = await page(engine, "/incidents")
    (address,) = {one for one in Outline(text).addresses if one.startswith("./incidents/")}
    status, told = await page(engine, address.removeprefix("."))

    assert status == 200
    assert "Playback failure percentage 9 %" in told
    assert "opened" in told
    assert all(one.startswith("../") for one in Outline(told).addresses if not one.startswith("#"))
    assert "<time datetime=" in told
    _, rules = await page(engine, "/rules")
    assert "4 beyond" in rules


async def test_an_anomaly_is_explained_in_full(tmp_path: Path, clock: HandClock) -> None:
    settings = settings_in(tmp_path)
    await keep_anomalies(settings.store.path)
    async with ready(settings, clock) as engine:
        status, told = await page(engine, "/incidents/head")
        _, follower = await page(engine, "/incidents/follower")

    words = " ".join(unescape(re.sub(r"<[^>]*>", " ", told)).split())
    assert status == 200
    assert (Outline(told).open, Outline(told).mismatched) == ([], [])
    for said in (
        "Observed 8.25 % over 1,000 views, when it opened",
        "Expected 1 % normal is 0.4 to 1.6 %",
        "Beyond that since 15 Jan 07:58:00",
        "Evidence more than chance explains, over a few intervals",
        "By chance about once in 14 weeks for this group",
        "Hit beyond normal 145 views, 4,350 an hour",
        "Where it comes from 83 % in cdn\u200a=\u200afastly",
        "Has the same cause country\u200a=\u200aSE told with this one, once",
        "with what was expected (dashed) and what was normal (the band) when it opened",
    ):
        assert " ".join(said.split()) in words, said
    assert '<a href="../incidents/head"><code>head</code></a>, which was told instead' in follower
    assert "the incident with the same cause</a> was told instead." in follower


async def keep_anomalies(path: Path) -> None:
    """Keep an anomaly that has ended, and one of the same cause."""
    head = an_incident(
        "head",
        alert_type=AlertType.ANOMALY,
        measured_value=8.25,
        bound="normal is 0.4 to 1.6 %",
        expected=1.0,
        expected_low=0.4,
        expected_high=1.6,
        evidence="burst",
        once_in_weeks=14.2,
        causes=(Cause(0.83, (("cdn", "fastly"),)),),
        affected_viewers=145,
    ).ended(Status.CLOSED, reason="normal again", resolved_at=T0, ended_at=T0, value=1.0)
    follower = replace(
        head, id="follower", breakdowns=(("country", "SE"),), related_to="head", causes=()
    )
    store = await SqliteStore.open(path)
    try:
        await store.commit(Changes([head, follower], []))
    finally:
        await store.close()


async def test_filters_find_and_leave_out(engine: Engine) -> None:
    await opened(engine)
    for query, is_found in (
        ("status=open", True),
        ("status=resolved", False),
        ("kind=threshold&severity=critical&q=se", True),
        ("kind=anomaly", False),
        ("severity=info", False),
        ("severity=nonsense", True),
        ("q=nowhere", False),
        ("rule=playback-failures", True),
        ("rule=other", False),
        ("page=2", False),
        ("page=-1", True),
        ("page=99999999999999999999", False),
        ("page=%F0%9D%9F%99&q=%FF&status=%3Cb%3E", False),
    ):
        status, text = await page(engine, f"/incidents?{query}")
        assert (status, 'class="is-open"' in text) == (200, is_found), query


async def test_hostile_names_are_text_on_every_page(engine: Engine) -> None:
    await opened(engine, HOSTILE)
    _, text = await page(engine, "/incidents")
    incident = next(one for one in Outline(text).addresses if one.startswith("./incidents/"))
    for path in (
        "/incidents",
        incident.removeprefix("."),
        "/rules",
        "/rules/playback-failures",
        "/series/playback_failure_percentage",
        "/incidents?q=%3Cscript%3E&rule=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    ):
        status, text = await page(engine, path)
        outline = Outline(text)
        assert status == 200
        assert "<script>alert" not in text
        assert "\u202e" not in text
        assert (outline.handlers, outline.mismatched) == ([], [])


@pytest.mark.parametrize(
    "path",
    ["/incidents/unknown", "/rules/%00", "/series/nothing", "/rules/..%2f..%2fetc", "/static/x"],
)
async def test_what_is_not_there_is_said_with_404(engine: Engine, path: str) -> None:
    assert (await page(engine, path))[0] == 404


async def test_a_request_by_another_name_is_refused(engine: Engine) -> None:
    status, text = await page(engine, "/incidents", Host="evil.example")

    assert status in {400, 421}
    assert "incidents opened" not in text


async def test_the_shared_files_come_with_their_types(engine: Engine) -> None:
    kinds: dict[str, Any] = {
        "playwatch.css": "text/css",
        "playwatch.js": "text/javascript",
        "icon.svg": "image/svg+xml",
    }
    async with aiohttp.ClientSession() as session:
        for name, kind in kinds.items():
            async with session.get(f"{engine.web_url}/static/{name}") as response:
                assert (response.status, response.content_type) == (200, kind)


async def test_a_metric_is_drawn_by_dimension_once_there_is_a_past(
    engine: Engine, clock: HandClock
) -> None:
    for minute in range(3):
        await send(engine, sample(1.0 + minute, "SE"), sample(2.0, HOSTILE))
        for _ in range(61):
            await clock.advance(1)

    def written() -> bool:
        return engine.telemetry.registry.get_sample_value("playwatch_series") == 2.0

    await soon(written)
    status, text = await page(engine, "/series/playback_failure_percentage?by=country")
    outline = Outline(text)

    assert status == 200
    assert text.count('<svg class="spark"') == 2
    assert (outline.mismatched, outline.handlers) == ([], [])
