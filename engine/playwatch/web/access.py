"""Who may ask what: names of this server, and the token that lets a caller change something."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp import web


class Access:
    """Lets a request pass, or says why not.

    Parameters
    ----------
    token
        What a caller must know to change something; empty lets nobody.
    hosts
        Names of this server beside those of loopback, such as a proxy's.
    """

    def __init__(self, token: str = "", hosts: Collection[str] = ()) -> None:
        self._token = token.encode()
        self._hosts = {host.lower() for host in hosts}

    def check_host(self, request: web.Request) -> None:
        """Refuse a request that was meant for another name.

        Notes
        -----
        A page of somebody else can make a browser ask this server by a name
        whose address it has changed to loopback. The name gives it away.
        """
        name = _hostname(request.headers.get("Host", ""))
        if name not in self._hosts and not _is_loopback(name):
            message = "this server does not go by that name"
            raise ProblemError(421, message, hint="name it in web.hosts")

    def check_token(self, request: web.Request) -> None:
        """Refuse a request without the token, in a time that tells nothing of it."""
        if not self._token:
            message = "no token is configured, so nothing can be changed over HTTP"
            raise ProblemError(403, message, hint="set web.token or web.token_file and restart")
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            message = "a token is needed"
            raise ProblemError(401, message, hint="send Authorization: Bearer <web.token>")
        if not hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token):
            message = "that is not the token"
            raise ProblemError(403, message)


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
