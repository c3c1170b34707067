"""Callers: who asks, and what they may do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterable


class Role(IntEnum):
    """What a caller may do; each may do what those before it may."""

    NOTHING = 0
    READ = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes
    ----------
    name
        The id of the token that was shown; ``anonymous`` without one.
    csrf
        What a form of this caller must hold; empty unless a log-in lasts.
    """

    name: str
    role: Role
    csrf: str = ""

    @property
    def is_anonymous(self) -> bool:
        """True for who has shown no token."""
        return self.name == ANONYMOUS


ANONYMOUS: Final = "anonymous"


CALLER: Final = web.RequestKey("playwatch.caller", Caller)
"""Where a request keeps who sent it."""


MAY_STILL_READ: Final = web.RequestKey[Callable[[], bool]]("playwatch.may_still_read")
"""Where a request keeps what tells whether its caller may go on reading: a log-in ends."""


def caller_of(request: web.Request) -> Caller:
    """Return who asks; the gate has found out before any handler runs."""
    return request[CALLER]


class Tokens:
    """Knows every token by its digest, and tells nothing of them by its timing.

    Parameters
    ----------
    known
        Id, secret and role of each.
    """

    def __init__(self, known: Iterable[tuple[str, str, Role]]) -> None:
        self._known = [(name, _digest(secret), role) for name, secret, role in known]

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._known)

    @property
    def can_write(self) -> bool:
        """True when some token lets its holder change something."""
        return any(role is Role.WRITE for _, _, role in self._known)

    def holder(self, secret: str, name: str | None = None) -> Caller | None:
        """Return who holds a secret, and goes by a name where one is given.

        Notes
        -----
        Every token is compared, whichever matches: the time says nothing.
        """
        given, found = _digest(secret), None
        for known, digest, role in self._known:
            is_it = hmac.compare_digest(digest, given)
            if is_it and name in {None, known}:
                found = Caller(known, role)
        return found

    def of_header(self, authorization: str) -> Caller | None:
        """Return who an ``Authorization`` header speaks for; None when nobody.

        ``Bearer`` is followed by a secret, ``Basic`` by id and secret.
        """
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self.holder(credentials.strip())
        if scheme.lower() != "basic":
            return None
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        name, _, secret = decoded.partition(":")
        return self.holder(secret, name)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
