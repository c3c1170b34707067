"""One request and the beginning of its answer, over connections that aiohttp opens and keeps.

`aiohttp.ClientSession` builds a request, a response, a body, a timer and a task
for every POST, with cookies and redirects in mind: twice the work of the POST
itself, and most of what a page in a storm cost. What is hard stays with aiohttp:
names, addresses, proxies, TLS, the pool and the parser. Here a request is one
write and its answer two reads.

Notes
-----
Rests on `BaseConnector.connect`, which aiohttp documents, and on what it gives:
a protocol with ``set_response_params`` and ``read``, as `ClientResponse` uses it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage
    from yarl import URL

BODY_LIMIT: Final = 8_192

_LENGTHS: Final = ("Content-Length", "Transfer-Encoding")
_LINE_END: Final = re.compile(r"[\r\n\x00]")
_INTERIM: Final = range(100, 200)
_SWITCHING: Final = 101


@dataclass(frozen=True, slots=True)
class PostLimits:
    """How long one POST may take, in seconds.

    Attributes
    ----------
    total
        From the call to the status line of the answer.
    connect
        To look up the name, connect and agree on encryption.
    answer
        To read the body after the status line; what has come by then is used.
    idle
        How long a connection is kept for the next POST. PagerDuty closes idle
        ones at about 30 s.
    """

    total: float = 10.0
    connect: float = 5.0
    answer: float = 2.0
    idle: float = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, headers, and the first 8,192 bytes of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """POSTs to one URL; how many at once is up to the caller.

    Parameters
    ----------
    url
        Where to.
    headers
        Sent with every request.
    connector
        Opens and keeps the connections; closed with this.
    limits
        How long each part may take.
    proxy
        By which proxy; None for none.
    """

    def __init__(
        self,
        url: URL,
        headers: Mapping[str, str],
        connector: aiohttp.BaseConnector,
        limits: PostLimits,
        proxy: URL | None = None,
    ) -> None:
        self._connector = connector
        self._limits = limits
        self._timeout = aiohttp.ClientTimeout(total=limits.total, connect=limits.connect)
        if url.user:
            credentials = aiohttp.encode_basic_auth(url.user, url.password or "")
            url, headers = url.with_user(None), {**headers, "Authorization": credentials}
        # Never sent itself: it tells the connector where to, and holds the headers.
        self._request = aiohttp.ClientRequest(
            "POST",
            url,
            headers=headers,
            proxy=proxy,
            loop=asyncio.get_running_loop(),
        )
        self._head = b""

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a body; return the reply, of whose body what came in time.

        Raises
        ------
        aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, TimeoutError
            As `playwatch.channels.post_failure` reads them: no status line came.
        ValueError
            If a header would end its line.
        """
        async with asyncio.timeout(self._limits.total):
            connection, protocol, transport = await self._connected()
            try:
                protocol.set_response_params(read_until_eof=True)
                transport.write(b"%b%d\r\n\r\n%b" % (self._before_length(headers), len(body), body))
                message, content = await _final(protocol)
            except BaseException:
                connection.close()
                raise
        try:
            received = await self._beginning(content)
        except BaseException:
            connection.close()
            raise
        if content.is_eof() and not transport.get_write_buffer_size():
            connection.release()
        else:
            connection.close()
        return Reply(message.code, message.headers, received)

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()

    async def _connected(self) -> tuple[Connection, ResponseHandler, asyncio.Transport]:
        try:
            connection = await self._connector.connect(self._request, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        protocol, transport = connection.protocol, connection.transport
        # Closed as soon as it was open; or something came while nobody had asked,
        # which is no answer to what is asked next.
        if protocol is None or transport is None or protocol.should_close:
            connection.close()
            raise aiohttp.ServerDisconnectedError
        return connection, protocol, transport

    async def _beginning(self, content: aiohttp.StreamReader) -> bytes:
        """Return the beginning of a body, or of what came of it."""
        received = bytearray()
        try:
            if content.is_eof():  # It came with the status line, as it mostly does.
                return content.read_nowait(BODY_LIMIT)
            async with asyncio.timeout(self._limits.answer):
                while len(received) < BODY_LIMIT:
                    chunk = await content.read(BODY_LIMIT - len(received))
                    if not chunk:
                        break
                    received += chunk
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            pass
        return bytes(received)

    def _before_length(self, headers: Mapping[str, str] | None) -> bytes:
        """Return the request up to the number of bytes in its body."""
        if headers:
            return self._written(headers)
        # Not before the first connection: a proxy's credentials come with it.
        self._head = self._head or self._written({})
        return self._head

    def _written(self, headers: Mapping[str, str]) -> bytes:
        request = self._request
        together = request.headers.copy()
        together.update(headers)
        for name in _LENGTHS:
            together.popall(name, None)
        if self._connector.force_close:
            together["Connection"] = "close"
        is_by_proxy = request.proxy is not None and not request.is_ssl()
        path = str(request.url) if is_by_proxy else request.url.raw_path_qs
        lines = [f"{name}: {value}" for name, value in together.items()]
        if any(map(_LINE_END.search, lines)):
            message = "a header must not hold the end of a line"
            raise ValueError(message)
        return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "Content-Length: "]).encode()


async def _final(protocol: ResponseHandler) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Return the status line with its headers, and the body; what comes before that is skipped."""
    while True:
        message, content = await protocol.read()
        if message.code not in _INTERIM or message.code == _SWITCHING:
            return message, content
