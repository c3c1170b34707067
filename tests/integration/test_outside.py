"""What a browser is shown at the door: the log-in, and why it may not come in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from playwatch.web.nav import NAV
from tests.fakes import HandClock
from tests.integration.test_pages import Outline
from tests.integration.test_web_access import ask, logged_in
from tests.served import READER, WRITER, Echo, browser, served

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

HOSTILE = "\"'><script>alert(1)</script>"
PAGE = {"Accept": "text/html,application/xhtml+xml"}


class Broken:
    """A page with a mistake."""

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/broken", self.look)

    async def look(self, _request: web.Request) -> web.Response:
        message = "the inside of the house"
        raise RuntimeError(message)


def is_framed(text: str) -> bool:
    outline = Outline(text)
    return (
        (outline.open, outline.mismatched) == ([], [])
        and 'class="brand"' in text
        and 'href="#main"' in text
        and "static/playwatch.css" in text
        and "Back to the start" in text
    )


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "said"),
    [
        ("GET", "/nowhere", {}, 404, "The address may be old or mistyped"),
        ("POST", "/page/one", {}, 401, "Log in, then do it again"),
        ("POST", "/page/one", {"Authorization": f"Bearer {READER}"}, 403, "role write"),
        ("GET", "/page/one", {"Host": "evil.example"}, 421, "by a name in web.hosts"),
        ("POST", "/page/one", {"Origin": "http://evil.example"}, 403, "page of another server"),
        ("PUT", "/login", {"Authorization": f"Bearer {WRITER}"}, 405, "use its buttons"),
        ("GET", "/broken", {}, 500, "its log says what happened"),
    ],
)
async def test_who_may_not_come_in_is_told_in_a_page_what_helps(
    method: str, path: str, headers: Mapping[str, str], status: int, said: str
) -> None:
    hostile = {"X-Forwarded-Host": HOSTILE, "Referer": f"http://{HOSTILE}/"}
    async with served(Echo(), Broken(), has_tokens=True) as url:
        got, _, text = await ask(
            url, f"{path}?x={HOSTILE}", method=method, headers={**PAGE, **hostile, **headers}
        )
        plain = await ask(url, path, method=method, headers=dict(headers))

    assert (got, plain[0]) == (status, status)
    assert is_framed(text)
    assert said in text
    assert f"Status {status}" in text
    for secret in (READER, WRITER, "alert(1)", "evil.example", "inside of the house"):
        assert secret not in text
    assert json.loads(plain[2])["status"] == status


async def test_the_way_to_other_pages_is_shown_to_those_who_may_read() -> None:
    async with served(Echo(), has_tokens=True) as url:
        _, _, open_text = await ask(url, "/nowhere", headers=PAGE)
        _, _, login = await ask(url, "/login", headers=PAGE)
    async with served(Echo(), has_tokens=True, anonymous_read=False) as url:
        _, _, closed = await ask(url, "/login", headers=PAGE)

    assert all(f">{name}</a>" in open_text and f">{name}</a>" in login for _, name in NAV)
    assert "<nav" not in closed


async def test_a_refused_log_in_says_why_in_the_same_frame() -> None:
    clock = HandClock()
    async with served(Echo(), has_tokens=True, clock=clock) as url, browser(url) as session:
        async with session.get("/login") as page:
            assert "Access token" in await page.text()
        assert (await logged_in(session, HOSTILE))[0] == 401
        async with session.post("/login", data={"csrf": "", "token": HOSTILE}) as answer:
            text = await answer.text()
    assert answer.status == 403
    assert 'role="alert"' in text
    assert (Outline(text).open, Outline(text).mismatched) == ([], [])
    assert "alert(1)" not in text


async def test_the_style_of_a_refusal_is_given_under_any_name() -> None:
    async with served(Echo(), has_tokens=True) as url:
        status, _, _ = await ask(url, "/static/playwatch.css", Host="evil.example")
    assert status == 404  # not 421: here no part serves it
