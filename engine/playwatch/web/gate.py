"""The gate: every request passes it before any handler runs.

1. Was it meant for this server, and is it from a page of this server?
2. Who asks: the holder of a token, somebody who has logged in, or anyone? Who has
   shown ten different wrong tokens has to wait.
3. May they? Reading is `GET`, everything else changes something.
4. What a log-in sends must bring the word that only our own pages know.
5. A body comes whole, soon, and is not too long.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from playwatch.runtime.acting import acts_through
from playwatch.web.callers import ANONYMOUS, CALLER, MAY_STILL_READ, Caller, Role, Tokens
from playwatch.web.contract import is_text
from playwatch.web.guesses import Guesses
from playwatch.web.limits import Limits
from playwatch.web.names import Names
from playwatch.web.problems import ProblemError
from playwatch.web.sessions import COOKIE, Sessions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwatch.config.web import WebSettings
    from playwatch.ports import Clock

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "X-CSRF-Token"

_SAFE: Final = {"GET", "HEAD", "OPTIONS"}
_ANYONE: Final = {"/-/healthy", "/-/ready", "/login"}
_ANYONE_BELOW: Final = "/static/"
_WHOEVER_IS_IN: Final = {"/logout"}
_UTF_8: Final = ("utf-8", "utf8", "us-ascii")
_FORM: Final = "application/x-www-form-urlencoded"


class Gate:
    """Decides who passes; see the module.

    Attributes
    ----------
    tokens, sessions
        Who can log in, and who has.
    limits
        What a client may take.
    """

    def __init__(
        self,
        names: Names,
        tokens: Tokens,
        sessions: Sessions,
        limits: Limits,
        guesses: Guesses,
        *,
        lets_anyone_read: bool,
    ) -> None:
        self.tokens = tokens
        self.sessions = sessions
        self.limits = limits
        self._guesses = guesses
        self._names = names
        self._anyone = Caller(ANONYMOUS, Role.READ if lets_anyone_read else Role.NOTHING)

    @classmethod
    def of(cls, settings: WebSettings, clock: Clock, limits: Limits | None = None) -> Gate:
        """Return the gate that a configuration asks for."""
        known = [
            (one.id, one.secret.get_secret_value(), Role[one.role.upper()])
            for one in settings.callers
        ]
        return cls(
            Names(settings.names, settings.host, is_local=settings.is_local),
            Tokens(known),
            Sessions(clock, settings.session_s),
            limits or Limits(),
            Guesses(clock),
            lets_anyone_read=settings.lets_anyone_read,
        )

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request pass to its handler, or raise why not."""
        # A probe knows this machine by any name, and a refusal is to look like a page.
        if request.path != "/-/healthy" and not request.path.startswith(_ANYONE_BELOW):
            self._names.check_host(request)
        self._names.check_origin(request)
        _check_text(request)
        request[CALLER] = caller = self._caller(request)
        cookie = request.cookies.get(COOKIE, "") if caller.csrf else ""
        may_still_read: Callable[[], bool] = partial(self._may_still_read, cookie)
        request[MAY_STILL_READ] = may_still_read
        acts_through("" if caller.is_anonymous else caller.name)
        self._check_role(request, caller)
        if request.method not in _SAFE:
            await self._read(request)
            if caller.csrf:
                await self._check_csrf(request)
        return await handler(request)

    def _caller(self, request: web.Request) -> Caller:
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            return self._holder(authorization, request.remote or "")
        cookie = request.cookies.get(COOKIE)
        return (self.sessions.caller(cookie) if cookie else None) or self._anyone

    def _may_still_read(self, cookie: str) -> bool:
        """Return whether the log-in of a cookie lasts, where reading takes one."""
        if not cookie or self._anyone.role >= Role.READ:
            return True
        return self.sessions.caller(cookie) is not None

    def _holder(self, authorization: str, address: str) -> Caller:
        """Return who shows a token; whoever guesses at tokens has to wait."""
        if wait_s := self._guesses.wait_s(address):
            message = f"too many wrong tokens: wait {wait_s} seconds"
            error = ProblemError(429, message)
            error.headers = {"Retry-After": str(wait_s)}
            raise error
        found = self.tokens.of_header(authorization)
        if found is None:
            self._guesses.wrong(address, authorization)
            raise self._nobody(authorization)
        return found

    def _nobody(self, authorization: str) -> ProblemError:
        """Return why these credentials are nobody's."""
        if not self.tokens:
            return _no_token(403)
        if authorization.lower().startswith(("bearer ", "basic ")):
            return ProblemError(401, "that is not the token of anyone here")
        message = "a token is needed"
        return ProblemError(401, message, hint="send Authorization: Bearer <token>")

    def _check_role(self, request: web.Request, caller: Caller) -> None:
        path = request.path
        if path in _ANYONE or path.startswith(_ANYONE_BELOW):
            return
        is_reading = request.method in _SAFE or path in _WHOEVER_IS_IN
        needed = Role.READ if is_reading else Role.WRITE
        if caller.role >= needed:
            return
        if not is_reading and not self.tokens.can_write:
            raise _no_token(403)
        if caller.name == ANONYMOUS:
            message = "a token is needed"
            raise ProblemError(401, message, hint="send Authorization: Bearer <token>")
        message = f"{caller.name} may read, not change anything"
        raise ProblemError(403, message, hint="use a token with role write")

    async def _check_csrf(self, request: web.Request) -> None:
        word = request.headers.get(CSRF_HEADER, "")
        if not word and request.content_type == _FORM:
            word = str((await request.post()).get(CSRF_FIELD, ""))
        if not self.sessions.is_csrf(request.cookies.get(COOKIE, ""), word):
            message = "this form is not of this session"
            raise ProblemError(403, message, hint="open the page again and repeat")

    async def _read(self, request: web.Request) -> None:
        """Read a body, so that no handler has to wait for a slow client."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            message = "compressed bodies are not taken"
            raise ProblemError(415, message)
        if (request.charset or _UTF_8[0]).lower() not in _UTF_8:
            message = "bodies are taken in UTF-8 only"
            raise ProblemError(415, message)
        if request.content_type.startswith("multipart/"):
            message = "multipart bodies are not taken"
            raise ProblemError(415, message)
        if (request.content_length or 0) > self.limits.body_bytes:
            raise web.HTTPRequestEntityTooLarge(self.limits.body_bytes, request.content_length or 0)
        try:
            async with asyncio.timeout(self.limits.body_s):
                await request.read()
        except TimeoutError:
            message = f"the body did not arrive within {self.limits.body_s:.0f} s"
            raise ProblemError(408, message) from None


def _check_text(request: web.Request) -> None:
    """Refuse what no name can be: a text without a spelling in UTF-8, or with a NUL."""
    if not is_text(request.path):
        raise web.HTTPNotFound
    for name, value in request.query.items():
        if not is_text(name) or not is_text(value):
            message = "the query is not text in UTF-8"
            raise ProblemError(400, message)


def _no_token(status: int) -> ProblemError:
    message = "no token is configured, so nothing can be changed over HTTP"
    return ProblemError(status, message, hint="set web.token or web.token_file and restart")
