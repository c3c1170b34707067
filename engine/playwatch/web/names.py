"""The names of this server: which ones a request may use, and where it may come from."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwatch.config.addresses import is_loopback
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp import web


class Names:
    """Tells requests that were meant for this server from those that were not.

    Parameters
    ----------
    hosts
        Names under which a proxy asks, whose pages are ours.
    own
        The name it listens by.
    is_local
        True when only this machine can reach it: it then has no other number.

    Notes
    -----
    A page of somebody else can make a browser ask this server by a name whose
    address it has changed to this machine's (DNS rebinding). The name gives it
    away; a bare number cannot be changed like that. And a browser says in
    ``Origin`` which page sends a form.
    """

    def __init__(
        self, hosts: Collection[str] = (), own: str = "", *, is_local: bool = True
    ) -> None:
        self._hosts = {host.lower() for host in hosts}
        self._own = own.lower()
        self._is_local = is_local

    def check_host(self, request: web.Request) -> None:
        """Refuse a request that was meant for another name."""
        name = _hostname(request.headers.get("Host", ""))
        if name in self._hosts or is_loopback(name) or (name and name == self._own):
            return
        if self._is_local or not _is_number(name):
            message = "this server does not go by that name"
            raise ProblemError(421, message, hint="name it in web.hosts")

    def check_origin(self, request: web.Request) -> None:
        """Refuse a request that the page of another server makes a browser send."""
        origin = request.headers.get("Origin")
        if origin is None:
            if request.headers.get("Sec-Fetch-Site") == "cross-site" and _changes(request):
                raise _foreign_origin()
            return
        scheme, _, netloc = origin.lower().partition("://")
        is_ours = netloc == request.headers.get("Host", "").lower()
        if scheme not in {"http", "https"} or not (is_ours or _hostname(netloc) in self._hosts):
            raise _foreign_origin()


def _foreign_origin() -> ProblemError:
    message = "this request comes from the page of another server"
    return ProblemError(403, message, hint="if that is a proxy, name it in web.hosts")


def _changes(request: web.Request) -> bool:
    return request.method not in {"GET", "HEAD", "OPTIONS"}


def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
