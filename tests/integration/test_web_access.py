"""Who gets in, and who does not: names, origins, tokens, log-ins, limits."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from playwatch.config.web import WebSettings
from playwatch.errors import EngineError, ListenError
from playwatch.runtime.news import News
from playwatch.web.client import at_engine
from playwatch.web.events import EventStream
from playwatch.web.limits import Limits
from tests.fakes import HandClock
from tests.served import READER, WRITER, Echo, browser, served
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ECHO = "/api/v1/echo"
FOREIGN = "https://evil.example"


async def ask(
    url: str,
    path: str = ECHO,
    method: str = "GET",
    *,
    data: bytes | AsyncIterator[bytes] | None = None,
    headers: dict[str, str] | None = None,
    **more: str,
) -> tuple[int, dict[str, str], str]:
    named = {name.replace("_", "-"): value for name, value in {**(headers or {}), **more}.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, url + path, headers=named, data=data, allow_redirects=False
        ) as answer,
    ):
        return answer.status, dict(answer.headers), await answer.text()


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


async def logged_in(session: aiohttp.ClientSession, token: str, **fields: str) -> tuple[int, str]:
    """Fill in the form as a browser does; return the status and where it leads."""
    async with session.get("/login") as page:
        csrf = re.search(r'name="csrf" value="(\w+)"', await page.text())
    assert csrf is not None
    form = {"csrf": csrf[1], "token": token, **fields}
    async with session.post("/login", data=form, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "")


@pytest.mark.parametrize(
    ("anonymous", "authorization", "read", "write"),
    [
        (True, "", 200, 401),
        (False, "", 401, 401),
        (True, f"Bearer {READER}", 200, 403),
        (False, f"bearer {READER}", 200, 403),
        (False, f"Bearer {WRITER}", 200, 201),
        (False, basic("wall", READER), 200, 403),
        (False, basic("operator", WRITER), 200, 201),
        (True, basic("wall", WRITER), 401, 401),
        (True, basic("operator", READER), 401, 401),
        (True, f"Bearer {WRITER[:-1]}", 401, 401),
        (True, f"Bearer {WRITER}\u00e4", 401, 401),
        (True, "Basic !!!", 401, 401),
        (True, "Basic /w==", 401, 401),
        (True, "Digest x", 401, 401),
    ],
)
async def test_a_token_opens_what_its_role_may(
    *, anonymous: bool, authorization: str, read: int, write: int
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with served(Echo(), has_tokens=True, anonymous_read=anonymous) as url:
        got = await ask(url, headers=headers)
        put = await ask(url, method="POST", data=b"{}", headers=headers)

    assert (got[0], put[0]) == (read, write)
    for status, said, text in (got, put):
        assert WRITER not in text
        assert READER not in text
        assert (status == 401) == ("WWW-Authenticate" in said)


async def test_elsewhere_reading_needs_a_token_and_a_number_is_a_name() -> None:
    async with served(Echo(), has_tokens=True, listen="0.0.0.0:0") as url:
        assert (await ask(url))[0] == 401
        assert (await ask(url, Host="192.0.2.7"))[0] == 401
        assert (await ask(url, Host="playwatch.example"))[0] == 421
        assert (await ask(url, "/metrics"))[0] == 401
        assert (await ask(url, "/metrics", Authorization=f"Bearer {READER}"))[0] == 200
        assert (await ask(url, "/-/healthy", Host="pod-7"))[0] == 200
        status, _, text = await ask(url, "/-/ready")
        assert (status, text) == (503, "Playwatch is not ready.\n")
        text = (await ask(url, "/-/ready", Authorization=f"Bearer {READER}"))[2]
        assert "on-call" in text


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Origin": FOREIGN}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": ""}, 403),
        ("POST", {"Origin": "http://127.0.0.1:1"}, 403),
        ("POST", {"Origin": "https://alerts.example.com"}, 201),
        ("POST", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", {"Sec_Fetch_Site": "same-origin"}, 201),
        ("GET", {"Origin": FOREIGN}, 403),
        ("GET", {"Sec_Fetch_Site": "cross-site"}, 200),
    ],
)
async def test_the_page_of_another_server_cannot_ask(
    method: str, headers: dict[str, str], status: int
) -> None:
    """Not even with a token, which a browser may add by itself."""
    token = {"Authorization": basic("operator", WRITER)}
    async with served(Echo(), has_tokens=True, hosts=("alerts.example.com",)) as url:
        assert (await ask(url, method=method, headers={**headers, **token}))[0] == status
        assert (await ask(url, method=method, headers={**token, "Origin": url}))[0] in {200, 201}


async def test_a_log_in_lasts_until_its_end_and_no_longer() -> None:
    clock, echo = HandClock(), Echo()
    async with (
        served(echo, clock=clock, has_tokens=True, anonymous_read=False, session_s=3600) as url,
        browser(url) as session,
    ):
        assert (await logged_in(session, WRITER, next="page/one?x=1"))[1] == "./page/one?x=1"
        async with session.get("/page/one") as page:
            csrf = await page.text()
        async with session.post("/page/one", data={"csrf": csrf}) as answer:
            assert answer.status == 201
            assert (await answer.json())["name"] == "operator"
        async with session.post(ECHO, data=b"{}", headers={"X-CSRF-Token": csrf}) as answer:
            assert answer.status == 201
        await clock.advance(3601)
        async with session.get("/page/one", allow_redirects=False) as page:
            assert page.headers["Location"] == "../login?next=page%2Fone"
        async with session.post("/page/one", data={"csrf": csrf}) as answer:
            assert answer.status == 401
    assert len(echo.written) == 2


@pytest.mark.parametrize("word", [None, "", "0" * 64, "\u00e4"])
async def test_a_forged_form_changes_nothing(word: str | None) -> None:
    echo = Echo()
    async with served(echo, has_tokens=True) as url, browser(url) as session:
        assert (await logged_in(session, WRITER))[0] == 303
        form = {"x": "1"} if word is None else {"csrf": word}
        async with session.post("/page/one", data=form) as answer:
            assert answer.status == 403
        async with session.post(ECHO, data=b"{}") as answer:
            assert answer.status == 403
    assert echo.written == []


async def test_the_cookie_of_a_log_out_opens_nothing_any_more() -> None:
    async with (
        served(Echo(), has_tokens=True, anonymous_read=False) as url,
        browser(url) as session,
    ):
        await logged_in(session, READER)
        cookies = {one.key: one.value for one in session.cookie_jar}
        async with session.get("/page/one") as page:
            csrf = await page.text()
        async with session.post("/page/one", data={"csrf": csrf}) as answer:
            assert answer.status == 403
        async with session.post("/logout", allow_redirects=False) as answer:
            assert answer.status == 403
        async with session.post("/logout", data={"csrf": csrf}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "./login")
        replayed = "; ".join(f"{name}={value}" for name, value in cookies.items())
        assert (await ask(url, Cookie=replayed))[0] == 401
        assert (await ask(url, "/logout", "POST", Cookie=replayed))[0] == 401


async def test_the_cookie_is_for_our_own_pages_only() -> None:
    async with served(Echo(), has_tokens=True) as url:
        plain = (await ask(url, "/login"))[1]["Set-Cookie"]
        behind = (await ask(url, "/login", X_Forwarded_Proto="https"))[1]["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(plain.split("; "))
    assert "Secure" not in plain
    assert "Path" not in plain
    assert "Secure" in behind.split("; ")


async def test_a_log_in_gets_a_cookie_that_nobody_gave_it_before() -> None:
    async with served(Echo(), has_tokens=True) as url, browser(url) as session:
        session.cookie_jar.update_cookies({"playwatch_session": "planted"})
        await logged_in(session, READER)
        assert [one.value for one in session.cookie_jar] != ["planted"]
        assert (await ask(url, "/page/x", Cookie="playwatch_session=planted"))[2] == "none"


async def test_guessing_at_the_log_in_ends_soon() -> None:
    clock = HandClock()
    async with served(Echo(), clock=clock, has_tokens=True) as url, browser(url) as session:
        for _ in range(10):
            assert (await logged_in(session, "not-the-token"))[0] == 401
        assert (await logged_in(session, WRITER))[0] == 429
        await clock.advance(299)
        assert (await logged_in(session, WRITER))[0] == 429
        await clock.advance(1)
        assert (await logged_in(session, WRITER))[0] == 303
        async with session.post("/login", data={"csrf": "", "token": WRITER}) as answer:
            assert answer.status == 403


async def test_guessing_tokens_ends_soon_and_an_old_one_shown_all_day_is_no_guess() -> None:
    clock, right = HandClock(), f"Bearer {WRITER}"
    async with served(Echo(), clock=clock, has_tokens=True) as url:
        for _ in range(30):
            assert (await ask(url, Authorization="Bearer the-token-of-last-year"))[0] == 401
        assert (await ask(url, Authorization=right))[0] == 200
        for number in range(9):
            guess = basic("operator", f"guess {number}") if number % 2 else f"Bearer {number}"
            assert (await ask(url, Authorization=guess))[0] == 401
        status, headers, text = await ask(url, Authorization=right)
        assert (status, headers["Retry-After"]) == (429, "300")
        assert "wait 300 seconds" in text
        assert (await ask(url))[0] == 200
        await clock.advance(300)
        assert (await ask(url, Authorization=right))[0] == 200


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example", "//evil.example", "/x", "a/../../b", "%2e%2e/x", "java:x", "\\x"],
)
async def test_a_log_in_leads_to_no_other_server(wanted: str) -> None:
    async with served(Echo(), has_tokens=True) as url, browser(url) as session:
        assert await logged_in(session, WRITER, next=wanted) == (303, "./")


async def test_a_link_from_elsewhere_finds_the_log_in() -> None:
    """A strict cookie does not come along, but it does one step later."""
    async with (
        served(Echo(), has_tokens=True, anonymous_read=False) as url,
        browser(url) as session,
    ):
        foreign = {"Sec-Fetch-Site": "cross-site"}
        async with session.get("/page/x", headers=foreign, allow_redirects=False) as page:
            assert page.status == 200
            assert 'http-equiv="refresh"' in await page.text()


async def test_without_tokens_the_log_in_says_so_and_forms_do_nothing() -> None:
    async with served(Echo()) as url, browser(url) as session:
        async with session.get("/login") as page:
            assert "No token is configured" in await page.text()
        async with session.post("/page/x", data={"a": "b"}) as answer:
            assert answer.status == 403
            assert "web.token" in await answer.text()
        assert (await ask(url))[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/api/v1/nothing", 404),
        ("/static/../../etc/passwd", 404),
        ("/static/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/page/..%2f..%2fetc%2fpasswd", 200),
        ("/page/etc%2fpasswd%00", 404),
        ("/data/v1/nothing", 404),
        ("/%ff%fe", 404),
    ],
)
async def test_every_answer_is_guarded_against_browsers(path: str, status: int) -> None:
    async with served(Echo(), has_tokens=True) as url:
        got, headers, text = await ask(url, path)
    assert got == status
    assert "root:" not in text
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "aiohttp" not in str(headers)


async def test_an_error_of_ours_tells_a_caller_only_its_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(Echo()) as url:
        status, headers, text = await ask(url, "/api/v1/fail")
    assert (status, headers["Content-Type"]) == (500, "application/problem+json; charset=utf-8")
    assert "house" not in text
    assert "RuntimeError" in text
    assert "the inside of the house" in caplog.text


async def test_a_method_that_is_not_taken_names_those_that_are() -> None:
    async with served(Echo(), has_tokens=True) as url:
        status, headers, _ = await ask(url, method="PUT", Authorization=f"Bearer {WRITER}")
    assert status == 405
    assert set(headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"x" * 70_000, {}, 413),
        (b"x", {"Content_Encoding": "gzip"}, 415),
        (b"x", {"Content_Type": "multipart/form-data; boundary=y"}, 415),
        (b"{}", {"Content_Type": "application/json; charset=nonsense"}, 415),
        (b"{}", {"Content_Type": "application/json; charset=utf-16"}, 415),
        (b"a=b", {"Content_Type": "application/x-www-form-urlencoded; charset=base64"}, 415),
        (b"x", {"X_Long": "y" * 9_000}, 400),
        (b"x", {f"X_{number}": "y" for number in range(200)}, 400),
    ],
)
async def test_too_much_is_refused(data: bytes, headers: dict[str, str], status: int) -> None:
    echo = Echo()
    async with served(echo, has_tokens=True) as url:
        token = {"Authorization": f"Bearer {WRITER}"}
        whole = await ask(url, method="POST", data=data, headers={**headers, **token})
        chunked = await ask(url, method="POST", data=_drops(data), headers={**headers, **token})
    assert (whole[0], chunked[0]) == (status, status)
    assert echo.written == []


async def _drops(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def raw(url: str, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize(
    ("limits", "sent", "answer"),
    [
        (Limits(idle_s=0.1), b"", b""),
        (Limits(idle_s=0.1), b"GET /-/healthy HTTP/1.1\r\nHost: loc", b""),
        (
            Limits(body_s=0.1),
            b"POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
            b"Authorization: Bearer " + WRITER.encode() + b"\r\n\r\n{",
            b"HTTP/1.1 408",
        ),
    ],
)
async def test_a_slow_client_is_dropped(limits: Limits, sent: bytes, answer: bytes) -> None:
    async with served(Echo(), has_tokens=True, limits=limits) as url:
        reader, writer = await raw(url, sent)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read(12) == answer
        writer.close()


async def test_a_client_that_does_not_read_is_dropped() -> None:
    echo = Echo()
    async with served(echo, limits=Limits(unread_s=0.1)) as url:
        _, writer = await raw(url, b"GET /api/v1/flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await echo.has_stopped.wait()
        writer.close()


async def test_more_clients_than_there_is_room_for_are_dropped() -> None:
    async with served(Echo(), limits=Limits(connections=2)) as url:
        first, second = await raw(url, b""), await raw(url, b"")
        request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"
        third = await raw(url, b"")
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                assert await third[0].read() == b""
        first[1].write(request)
        assert await first[0].readline() == b"HTTP/1.1 200 OK\r\n"
        for _, writer in (first, second, third):
            writer.close()


@pytest.mark.parametrize("junk", [b"\x16\x03\x01\x02\x00", b"HELLO\r\n\r\n", b"GET  / \r\n\r\n"])
async def test_what_is_no_request_is_answered_without_a_word_in_the_log(
    caplog: pytest.LogCaptureFixture, junk: bytes
) -> None:
    async with served(Echo()) as url:
        reader, writer = await raw(url, junk + b"\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 400")
        writer.close()
    assert caplog.text == ""


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    cert, key = tmp_path / "web.pem", tmp_path / "web.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=playwatch", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return {"cert_file": str(cert), "key_file": str(key)}


async def test_tls_is_spoken_with_the_certificate_of_the_configuration(
    certificate: dict[str, str],
) -> None:
    async with served(Echo(), tls=certificate, has_tokens=True) as url:
        assert url.startswith("https://")
        trust = ssl.create_default_context(cafile=certificate["cert_file"])
        trust.check_hostname = False
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/login", ssl=trust) as answer,
        ):
            assert answer.status == 200
            assert "Secure" in answer.headers["Set-Cookie"]
        with pytest.raises(aiohttp.ClientError):
            await ask(url.replace("https", "http"))


async def test_a_desk_far_away_knows_the_certificate_by_its_print(
    certificate: dict[str, str],
) -> None:
    pem = await asyncio.to_thread(Path(certificate["cert_file"]).read_text)
    der = ssl.PEM_cert_to_DER_cert(pem)
    async with served(Echo(), tls=certificate, has_tokens=True) as url:
        async with at_engine(url, WRITER, der) as desk:
            with pytest.raises(EngineError, match="does not know this request"):
                await desk.silences()
        for stranger in (None, der[:-1] + b"x"):
            async with at_engine(url, WRITER, stranger) as desk:
                with pytest.raises(EngineError, match="does not answer"):
                    await desk.silences()


async def test_a_certificate_that_cannot_be_used_is_named(certificate: dict[str, str]) -> None:
    broken = {**certificate, "key_file": certificate["cert_file"]}
    with pytest.raises(ListenError, match=r"web\.tls.*web\.pem"):
        async with served(tls=broken):
            pass


def test_what_others_can_reach_needs_a_token() -> None:
    with pytest.raises(ValueError, match="other machines"):
        WebSettings.model_validate({"listen": "0.0.0.0:80"})
    guarded = WebSettings.model_validate({"listen": "0.0.0.0:80", "token": WRITER})
    assert not guarded.lets_anyone_read


@pytest.mark.parametrize("end", ["expiry", "log-out"])
async def test_a_stream_of_news_ends_with_its_log_in(end: str) -> None:
    clock = HandClock()
    news = News(list, clock)
    watching = asyncio.create_task(news.run())
    private = served(
        EventStream(news), Echo(), clock=clock, has_tokens=True, anonymous_read=False, session_s=60
    )
    async with private as url, browser(url) as session:
        await logged_in(session, READER)
        async with (
            asyncio.timeout(PATIENCE_S),
            session.get("/page/one") as page,
            session.get("/events") as stream,
        ):
            csrf = await page.text()
            await stream.content.readuntil(b"retry: 2000\n\n")
            await clock.advance(1)
            assert b"event: values" in await stream.content.readuntil(b"\n\n")
            if end == "log-out":
                async with session.post("/logout", data={"csrf": csrf}) as answer:
                    assert answer.status == 200
            await clock.advance(60)
            await stream.content.read()  # to its end
    watching.cancel()
