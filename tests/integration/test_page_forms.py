"""What people do on the pages: forms behind a log-in, without any script."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.fakes import HandClock
from tests.integration.test_engine import KEY, ready, settings_in
from tests.integration.test_pages import Outline, opened
from tests.kit.channels import SIGNING_SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.app import Engine
    from playwatch.demo.stand_in import StandIn

SECRET = "a-word-that-only-operators-know"  # noqa: S105 - it opens nothing
READER = "a-word-for-the-wall"


class Visitor:
    """A browser without scripts: keeps cookies, sends forms with the word of their page."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def see(self, path: str) -> str:
        async with self._session.get(path) as response:
            assert response.status == 200
            return await response.text()

    async def send(self, page: str, path: str, **fields: str) -> tuple[int, str]:
        """Send a form of a page and follow where it leads."""
        found = re.search(r'name="csrf" value="([0-9a-f]*)"', await self.see(page))
        word = found.group(1) if found else ""
        async with self._session.post(path, data={"csrf": word, **fields}) as response:
            return response.status, await response.text()

    async def log_in(self, secret: str = SECRET) -> None:
        status, _ = await self.send("/login", "/login", token=secret)
        assert status == 200


@pytest.fixture
async def engine(tmp_path: Path, server: StandIn) -> AsyncIterator[Engine]:
    settings = settings_in(tmp_path, url=server.url)
    tokens = {"token": SECRET, "tokens": [{"id": "wall", "secret": READER, "role": "read"}]}
    web = type(settings.web).model_validate(
        {"listen": "127.0.0.1:0", "channel_hosts": ["127.0.0.1"], **tokens}
    )
    async with ready(settings.model_copy(update={"web": web}), HandClock()) as engine:
        yield engine


@pytest.fixture
async def visitor(engine: Engine) -> AsyncIterator[Visitor]:
    jar = aiohttp.CookieJar(unsafe=True)  # the host is a number
    headers = {"Accept": "text/html", "Origin": engine.web_url}
    async with aiohttp.ClientSession(engine.web_url, cookie_jar=jar, headers=headers) as session:
        yield Visitor(session)


async def incident_of(visitor: Visitor) -> str:
    addresses = Outline(await visitor.see("/incidents")).addresses
    return next(one for one in addresses if one.startswith("./incidents/")).removeprefix(".")


async def test_who_has_not_logged_in_sees_and_cannot_act(engine: Engine, visitor: Visitor) -> None:
    await opened(engine)
    path = await incident_of(visitor)

    assert "Log in" in await visitor.see(path)
    assert "Resolve by hand" not in await visitor.see(path)
    for target in (f"{path}/ack", "/silences", "/channels", "/channels/delete", "/channels/test"):
        status, text = await visitor.send("/incidents", target, comment="x")
        assert status == 401 or "token" in text


async def test_a_reader_is_told_that_it_may_not_act(engine: Engine, visitor: Visitor) -> None:
    await opened(engine)
    await visitor.log_in(READER)

    assert "may read, not change anything" in await visitor.see(await incident_of(visitor))
    status, _ = await visitor.send("/silences", "/silences", matchers="rule=*", **{"for": "1h"})
    assert status == 403


async def test_an_incident_is_acknowledged_noted_and_resolved(
    engine: Engine, visitor: Visitor, server: StandIn
) -> None:
    await opened(engine)
    await server.wait_for_events(1)
    await visitor.log_in()
    path = await incident_of(visitor)

    for verb, comment, said in (
        ("ack", "on it", "Acknowledged"),
        ("note", "the <b>CDN</b> again", "The note stands"),
    ):
        status, text = await visitor.send(path, f"{path}/{verb}", comment=comment, author="ann")
        assert (status, said in text) == (200, True)
    status, text = await visitor.send(path, f"{path}/note", comment=" ")
    assert (status, "comment is needed" in text) == (422, True)
    text = await visitor.see(path)
    assert "&lt;b&gt;CDN&lt;/b&gt; again" in text
    assert "ann (operator)" in text

    status, text = await visitor.send(path, f"{path}/resolve")
    assert (status, "resolved by hand by operator" in text) == (200, True)
    await server.wait_for_events(2)


async def test_a_silence_is_added_from_an_incident_and_ended(
    engine: Engine, visitor: Visitor
) -> None:
    await opened(engine)
    await visitor.log_in()
    path = await incident_of(visitor)
    link = next(one for one in Outline(await visitor.see(path)).addresses if "silences?rule" in one)
    form = await visitor.see(link.removeprefix(".."))
    assert "rule=playback-failures\ncountry=SE</textarea>" in form

    asked = {"matchers": "rule=playback-failures\ncountry=SE", "for": "2h", "comment": "<i>"}
    status, text = await visitor.send("/silences", "/silences", **asked)
    assert (status, "The silence has begun" in text) == (200, True)
    found = re.search(r'form="expire" name="id" value="(\w+)"', text)
    assert found
    status, text = await visitor.send("/silences", "/silences/expire", id=found.group(1))
    assert (status, "The silence is over" in text) == (200, True)
    status, _ = await visitor.send("/silences", "/silences/expire", id="unknown")
    assert status == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"matchers": "", "for": "2h"}, "at least one name"),
        ({"matchers": "no sign", "for": "2h"}, "not name=value"),
        ({"matchers": "rule=*", "for": "soon"}, "soon"),
        ({"matchers": "rule=*", "for": "900d"}, "a year at most"),
        ({"matchers": "rule=*\n<script>", "for": "2h"}, "&lt;script&gt;"),
    ],
)
async def test_a_wrong_silence_comes_back_with_what_was_written(
    visitor: Visitor, fields: dict[str, str], said: str
) -> None:
    await visitor.log_in()
    status, text = await visitor.send("/silences", "/silences", **fields)

    assert (status, said in text) == (422, True)
    assert f'value="{fields["for"]}"' in text


async def test_a_channel_is_added_tested_and_deleted_and_its_key_is_never_shown(
    visitor: Visitor, server: StandIn
) -> None:
    await visitor.log_in()
    key = "0123456789abcdef0123456789abcdef"
    fields = {"service": "pagerduty", "key": key, "alert_types": "threshold"}
    status, text = await visitor.send("/channels", "/channels", **fields)
    assert (status, "The channel was added" in text) == (200, True)
    assert key not in text
    assert "****cdef" in text
    assert "pagerduty-1" in text

    status, text = await visitor.send("/channels", "/channels/test", name="on-call")
    assert (status, "answered to the test" in text) == (200, True)
    await server.wait_for_events(2)

    status, text = await visitor.send("/channels", "/channels/delete", name="pagerduty-1")
    assert (status, "The channel was deleted" in text) == (200, True)
    assert "pagerduty-1" not in text
    status, text = await visitor.send("/channels", "/channels/delete", name="on-call")
    assert (status, "provisioned by the configuration file" in text) == (409, True)
    assert KEY not in text


async def test_a_webhook_is_added_with_the_secret_that_signs(visitor: Visitor) -> None:
    await visitor.log_in()
    fields = {"service": "webhook", "key": "http://127.0.0.1:9/a-hook"}
    status, text = await visitor.send("/channels", "/channels", **fields)
    assert (status, 'role="alert"' in text) == (422, True)

    status, text = await visitor.send("/channels", "/channels", **fields, secret=SIGNING_SECRET)
    assert (status, "The channel was added" in text) == (200, True)
    assert SIGNING_SECRET not in text


@pytest.mark.parametrize("is_left", [False, True])
async def test_who_deletes_a_channel_is_asked_what_becomes_of_what_is_open_there(
    engine: Engine, visitor: Visitor, server: StandIn, *, is_left: bool
) -> None:
    await visitor.log_in()
    fields = {"service": "pagerduty", "key": KEY[::-1], "endpoint": server.url}
    await visitor.send("/channels", "/channels", **fields, name="night")
    assert "Delete and leave" not in await visitor.see("/channels")
    await opened(engine)
    text = await visitor.see("/channels")
    assert "Delete and resolve" in text
    assert "Delete and leave" in text

    choice = {"open_incidents": "leave"} if is_left else {}
    status, _ = await visitor.send("/channels", "/channels/delete", name="night", **choice)
    assert status == 200
    (entry,) = await audit_of(visitor, "channel removed")
    assert bool(entry["after"]["left"]) == is_left
    assert bool(entry["after"]["resolved"]) != is_left


async def audit_of(visitor: Visitor, what: str) -> list[dict[str, Any]]:
    """Return the entries of the audit with one word."""
    entries: list[dict[str, Any]] = json.loads(await visitor.see("/api/v1/audit"))
    return [one for one in entries if one["what"] == what]


async def test_a_wrong_channel_is_refused_with_every_mistake(visitor: Visitor) -> None:
    await visitor.log_in()
    fields = {"service": "pagerduty", "key": "<script>short", "alert_types": "none", "name": "a b"}
    status, text = await visitor.send("/channels", "/channels", **fields)

    assert status == 422
    assert "32 letters and digits" in text
    assert "alert_types" in text
    assert "short" not in text


async def test_a_form_without_the_word_of_its_session_is_refused(
    engine: Engine, visitor: Visitor
) -> None:
    await opened(engine)
    await visitor.log_in()
    path = await incident_of(visitor)
    status, _ = await visitor.send(path, f"{path}/resolve", csrf="0" * 64)

    assert status == 403


async def test_what_watches_live_is_never_sent_the_word_of_a_session(visitor: Visitor) -> None:
    await visitor.log_in()
    async with visitor._session.get("/silences", headers={"X-Live": "1"}) as response:
        text = await response.text()

    assert 'name="csrf" value=""' in text


async def test_the_chart_of_an_incident_comes_as_a_picture_and_as_numbers(
    engine: Engine, visitor: Visitor
) -> None:
    await opened(engine)
    path = await incident_of(visitor)
    async with visitor._session.get(path) as response:
        assert "style-src 'self' 'unsafe-inline'" in response.headers["Content-Security-Policy"]
        assert "script-src 'self';" in response.headers["Content-Security-Policy"]
    async with visitor._session.get(f"{path}/chart?theme=dark") as response:
        item = await response.json()
        assert (response.status, set(item) >= {"doc", "root_id"}) == (200, True)
    async with visitor._session.get(f"{path}/chart?data") as response:
        said = await response.json()
        assert set(said["values"]) == {"x", "y"}
        assert set(said) >= {"shades", "from", "until", "low", "high"}
    async with visitor._session.get("/incidents/unknown/chart") as response:
        assert response.status == 404
    async with visitor._session.get("/static/charts.js") as response:
        assert (response.status, len(await response.read()) > 500_000) == (200, True)
