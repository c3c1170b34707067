"""One request and its answer, byte by byte, over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError
from yarl import URL

from playwatch.channels.exchange import BODY_LIMIT, Exchange, PostLimits
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

PATIENT = PostLimits(PATIENCE_S, PATIENCE_S, PATIENCE_S, PATIENCE_S)
FINE = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"


class Scripted:
    """Reads each request to its end, then says what was prepared, on one connection or more."""

    def __init__(self, *answers: bytes, hangs_up: bool = False) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.port = 0
        self._answers = list(answers)
        self._hangs_up = hangs_up

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self._answers and (line := await reader.readline()):
                headers: dict[str, str] = {}
                while (header := (await reader.readline()).decode().rstrip("\r\n")) != "":
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                body = await reader.readexactly(int(headers["content-length"]))
                self.requests.append((line.decode().strip(), headers, body))
                writer.write(self._answers.pop(0))
                await writer.drain()
                if self._hangs_up:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*answers: bytes, hangs_up: bool = False) -> AsyncIterator[Scripted]:
    script = Scripted(*answers, hangs_up=hangs_up)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()


@asynccontextmanager
async def exchange_with(
    url: str,
    *,
    proxy: str = "",
    headers: Mapping[str, str] | None = None,
    connector: aiohttp.TCPConnector | None = None,
) -> AsyncIterator[Exchange]:
    made = Exchange(
        URL(url),
        headers or {"Content-Type": "application/json"},
        connector or aiohttp.TCPConnector(limit=0),
        PATIENT,
        URL(proxy) if proxy else None,
    )
    try:
        yield made
    finally:
        await made.close()


async def test_requests_follow_one_another_on_a_kept_connection() -> None:
    async with (
        scripted(FINE, FINE) as server,
        exchange_with(f"http://127.0.0.1:{server.port}/a?b=1") as exchange,
    ):
        first, second = await exchange.post(b"one"), await exchange.post(b"two")

    assert (first.status, first.body, second.status) == (202, b"ok", 202)
    assert server.connections == 1
    assert [(line, body) for line, _, body in server.requests] == [
        ("POST /a?b=1 HTTP/1.1", b"one"),
        ("POST /a?b=1 HTTP/1.1", b"two"),
    ]
    assert server.requests[0][1]["host"] == f"127.0.0.1:{server.port}"
    assert server.requests[0][1]["content-type"] == "application/json"


async def test_a_connection_that_is_not_to_be_kept_says_so_and_is_closed() -> None:
    async with (
        scripted(FINE, FINE) as server,
        exchange_with(
            f"http://127.0.0.1:{server.port}/", connector=aiohttp.TCPConnector(force_close=True)
        ) as exchange,
    ):
        await exchange.post(b"one")
        await exchange.post(b"two")

    assert server.connections == 2
    assert server.requests[0][1]["connection"] == "close"


async def test_headers_of_one_request_win_over_those_of_all() -> None:
    async with (
        scripted(FINE, FINE) as server,
        exchange_with(f"http://127.0.0.1:{server.port}/") as exchange,
    ):
        await exchange.post(b"{}", {"content-type": "text/plain", "webhook-id": "ü"})
        await exchange.post(b"{}")

    (_, first, _), (_, second, _) = server.requests
    assert (first["content-type"], first["webhook-id"]) == ("text/plain", "ü")
    assert second["content-type"] == "application/json"
    assert "webhook-id" not in second


async def test_no_header_ends_its_line_and_begins_another() -> None:
    async with (
        scripted(FINE) as server,
        exchange_with(f"http://127.0.0.1:{server.port}/") as exchange,
    ):
        with pytest.raises(ValueError, match="end of a line"):
            await exchange.post(b"{}", {"webhook-id": "1\r\nevil: yes"})

    assert server.requests == []


async def test_credentials_of_a_url_go_into_a_header_and_not_into_its_first_line() -> None:
    async with (
        scripted(FINE) as server,
        exchange_with(f"http://me:secret@127.0.0.1:{server.port}/x") as exchange,
    ):
        await exchange.post(b"{}")

    line, headers, _ = server.requests[0]
    assert line == "POST /x HTTP/1.1"
    assert headers["authorization"] == aiohttp.encode_basic_auth("me", "secret")


async def test_a_proxy_is_told_the_whole_address_and_its_own_credentials_each_time() -> None:
    async with (
        scripted(FINE, FINE) as server,
        exchange_with(
            "http://you:hidden@there.example/x?y=1",
            proxy=f"http://me:secret@127.0.0.1:{server.port}",
        ) as exchange,
    ):
        await exchange.post(b"one")
        await exchange.post(b"two")

    for line, headers, _ in server.requests:
        assert line == "POST http://there.example/x?y=1 HTTP/1.1"
        assert headers["host"] == "there.example"
        assert headers["proxy-authorization"] == aiohttp.encode_basic_auth("me", "secret")
        assert headers["authorization"] == aiohttp.encode_basic_auth("you", "hidden")


async def test_what_comes_before_the_answer_is_skipped() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with (
        scripted(hint + FINE) as server,
        exchange_with(f"http://127.0.0.1:{server.port}/") as exchange,
    ):
        assert (await exchange.post(b"{}")).status == 202


async def test_of_a_long_body_the_beginning_is_read_and_the_connection_dropped() -> None:
    long = b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000
    async with (
        scripted(long, FINE) as server,
        exchange_with(f"http://127.0.0.1:{server.port}/") as exchange,
    ):
        first, second = await exchange.post(b"{}"), await exchange.post(b"{}")

    assert (first.status, first.body, second.status) == (500, b"x" * BODY_LIMIT, 202)
    assert server.connections == 2


async def test_a_body_that_breaks_off_still_tells_its_status() -> None:
    torn = b"HTTP/1.1 503 Away\r\nContent-Length: 100\r\n\r\nsorr"
    async with (
        scripted(torn, hangs_up=True) as server,
        exchange_with(f"http://127.0.0.1:{server.port}/") as exchange,
    ):
        reply = await exchange.post(b"{}")

    assert (reply.status, reply.body) == (503, b"sorr")


async def test_surplus_bytes_are_no_answer_to_the_next_request() -> None:
    async with (
        scripted(FINE + b"HTTP/1.1 500 Old\r\n\r\n", FINE) as server,
        exchange_with(f"http://127.0.0.1:{server.port}/") as exchange,
    ):
        await exchange.post(b"one")
        assert (await exchange.post(b"two")).status == 202


async def test_what_came_while_nobody_asked_is_no_answer_to_the_next_request() -> None:
    told, went_on = asyncio.Event(), asyncio.Event()

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(FINE)
        await told.wait()
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nold")
        await writer.drain()
        await went_on.wait()
        writer.close()

    server = await asyncio.start_server(repeat, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connector = aiohttp.TCPConnector(limit=0)
    async with exchange_with(f"http://127.0.0.1:{port}/", connector=connector) as exchange:
        await exchange.post(b"{}")
        told.set()
        (kept,) = connector._conns.values()
        await soon(lambda: kept[0][0].should_close)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await exchange.post(b"{}")
        assert (await exchange.post(b"{}")).body == b"ok"
        went_on.set()
    server.close()


async def test_garbage_is_no_status() -> None:
    async with (
        scripted(b"220 mail.example ESMTP\r\n") as server,
        exchange_with(f"http://127.0.0.1:{server.port}/") as exchange,
    ):
        with pytest.raises(HttpProcessingError):
            await exchange.post(b"{}")


async def test_an_answer_before_the_end_of_a_long_request_is_read() -> None:
    """The rest is not sent, and nothing follows it on that connection."""
    connections = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with exchange_with(f"http://127.0.0.1:{port}/") as exchange:
        statuses = [(await exchange.post(bytes(50_000_000))).status for _ in range(2)]
        over.set()
    server.close()

    assert statuses == [413, 413]
    assert len(connections) == 2
