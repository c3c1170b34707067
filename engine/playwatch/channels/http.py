"""One HTTP POST: every way it can end is a value, never an exception.

Redirects are never followed (the body may hold a key), certificates are always
checked, cookies are not kept, and the answer's body is read only so far and so
long as it helps a person. ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are
honoured, except towards this machine.
"""

from __future__ import annotations

import errno
import os
import socket
import urllib.request
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from playwatch.channels.exchange import Exchange, PostLimits
from playwatch.channels.guard import refusal
from playwatch.channels.post_failure import Failure, Fault, failure_of
from playwatch.channels.retry_after import retry_after_s

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from playwatch.channels.exchange import Reply
    from playwatch.channels.guard import AddressGuard
    from playwatch.ports import Clock

_HEADERS: Final = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status line that was read, and as much of the rest as came.

    Attributes
    ----------
    status
        The HTTP status.
    text
        The first 8,192 bytes of the body; the rest is dropped.
    is_html
        True when it is a page for people, which no API sends.
    retry_after_s
        The pause that the receiver asks for, or None.
    is_ambiguous
        True when an earlier copy may have been accepted all the same: its
        connection was cut and this answers the second.
    """

    status: int
    text: str = ""
    is_html: bool = False
    retry_after_s: float | None = None
    is_ambiguous: bool = False


@dataclass(slots=True)
class _Effort:
    """What one request needed: a socket of its own, or a kept one; and what was in its way."""

    is_fresh: bool = False
    refused: str = ""


# Opening a socket may happen in a task of its own, which inherits this.
_effort: ContextVar[_Effort] = ContextVar("effort")


class HttpPost:
    """POSTs JSON to one URL over connections that are kept for the next time.

    Parameters
    ----------
    url
        Where to. Never part of any text that comes back, only its host is.
    clock
        Tells the time for a ``Retry-After`` date without a ``Date``.
    limits
        How long one POST may take.
    tls
        What to trust; None for the certificates of this machine.
    guard
        Judges where to; None to send anywhere.

    Notes
    -----
    Behind a proxy only the URL itself is judged: it is the proxy that looks up
    the name and connects.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        limits: PostLimits | None = None,
        tls: ssl.SSLContext | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._target = _target(url)
        self._clock = clock
        self._limits = limits or PostLimits()
        self._tls: ssl.SSLContext | bool = tls or True
        self._kept: Exchange | None = None
        self._fresh: Exchange | None = None
        self.host = _host(url)
        self._proxy = _proxy(url)
        self._refused = "" if guard is None else guard.refusal_of_url(url)
        is_trusted = guard is None or guard.trusts((self._target and self._target.host) or "")
        self._is_guarded = not is_trusted and self._proxy is None

    async def send(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer | Failure:
        """POST once and return how it ended.

        A kept connection that turns out to be closed by the other side is
        replaced by a fresh one at once and does not count as a failure; so the
        receiver may see the same bytes twice, and the call may take twice
        ``limits.total``.
        """
        if self._target is None:
            return Failure(Fault.ADDRESS, f"the configured url is no HTTP address: {self.host}")
        if self._refused:
            return Failure(Fault.FORBIDDEN, f"nothing is sent to {self.host}: {self._refused}")
        if self._kept is None:
            self._kept = self._exchange(self._target, is_kept=True)
        outcome = await self._attempt(self._kept, body, headers)
        if not isinstance(outcome, Failure) or not outcome.is_stale:
            return outcome
        if self._fresh is None:
            self._fresh = self._exchange(self._target, is_kept=False)
        outcome = await self._attempt(self._fresh, body, headers)
        return replace(outcome, is_ambiguous=True)

    async def close(self) -> None:
        """Close every connection; a later `send` opens new ones."""
        exchanges, self._kept, self._fresh = (self._kept, self._fresh), None, None
        for exchange in exchanges:
            if exchange is not None:
                await exchange.close()

    async def _attempt(
        self, exchange: Exchange, body: bytes, headers: Mapping[str, str] | None
    ) -> Answer | Failure:
        effort = _Effort()
        _effort.set(effort)
        try:
            return self._answer(await exchange.post(body, headers))
        except Exception as error:  # noqa: BLE001 - nothing but a value may leave a channel
            if effort.refused:
                return Failure(Fault.FORBIDDEN, f"nothing is sent to {self.host}: {effort.refused}")
            return failure_of(error, self.host, was_reused=not effort.is_fresh)

    def _answer(self, reply: Reply) -> Answer:
        text = reply.body.decode("utf-8", "replace")
        kind = reply.headers.get("Content-Type", "").lower()
        pause = None
        if reply.status not in _SUCCESS:
            pause = retry_after_s(reply.headers, self._clock.wall_ms())
        return Answer(
            reply.status,
            text,
            is_html="html" in kind or text.lstrip()[:1] == "<",
            retry_after_s=pause,
        )

    def _exchange(self, target: URL, *, is_kept: bool) -> Exchange:
        # Who sends decides how many at once; waiting for a free connection
        # would count as a failure to connect.
        connector = (
            aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=self._limits.idle,
                ssl=self._tls,
                socket_factory=self._socket,
            )
            if is_kept
            else aiohttp.TCPConnector(
                limit=0, force_close=True, ssl=self._tls, socket_factory=self._socket
            )
        )
        return Exchange(target, _HEADERS, connector, self._limits, self._proxy)

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket, and note that this request needed one; none for where it must not go."""
        effort = _effort.get(None) or _Effort()
        effort.is_fresh = True
        family, kind, protocol, _, where = address
        if self._is_guarded and (refused := refusal(str(where[0]))):
            effort.refused = refused
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return socket.socket(family, kind, protocol)


def _target(url: str) -> URL | None:
    """Return a URL read once; None when it is none of HTTP."""
    try:
        parsed = URL(url)
    except ValueError:
        return None
    return parsed if parsed.scheme in {"http", "https"} and parsed.host else None


def _host(url: str) -> str:
    """Return the host of a URL with its port when it is not the usual one."""
    try:
        parsed = URL(url)
        if not parsed.host:
            return "an address without a host"
        return parsed.host if parsed.is_default_port() else f"{parsed.host}:{parsed.port}"
    except ValueError:
        return "an address that is not a URL"


def _proxy(url: str) -> URL | None:
    """Return the proxy that the environment names for this URL."""
    try:
        parsed = URL(url)
        host = parsed.host
        if not host or host in _LOOPBACK or urllib.request.proxy_bypass(host):
            return None
        named = urllib.request.getproxies().get(parsed.scheme)
        if not named:
            return None
        return URL(named if "://" in named else f"http://{named}")
    except ValueError:
        return None


__all__ = ["Answer", "Failure", "Fault", "HttpPost", "PostLimits"]
