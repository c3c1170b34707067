"""Logging in and out: a token becomes a session with a cookie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from aiohttp import web

from playwatch.web.callers import Role, caller_of
from playwatch.web.failures import is_machine, outside
from playwatch.web.guesses import IN_ALL, Guesses
from playwatch.web.problems import ProblemError
from playwatch.web.sessions import COOKIE, fresh_cookie

if TYPE_CHECKING:
    from playwatch.ports import Clock
    from playwatch.web.gate import Gate

# A path of ours: it cannot leave this server, whatever a browser makes of it.
_PATH: Final = re.compile(r"(?!/)[A-Za-z0-9._~!$&'()*+,;=@%/?-]*")


class Login:
    """The pages ``/login`` and ``/logout``."""

    def __init__(self, gate: Gate, clock: Clock) -> None:
        self._gate = gate
        self._guesses = Guesses(clock, IN_ALL)

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("/login", self.form)
        app.router.add_post("/login", self.log_in)
        app.router.add_post("/logout", self.log_out)

    async def form(self, request: web.Request) -> web.StreamResponse:
        """Answer with the form."""
        return self._form(request, request.query.get("next", ""))

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """Begin a session for who knows a token, and go where they wanted to."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        wanted = form.get("next", "")
        cookie = request.cookies.get(COOKIE, "")
        if not cookie or not self._gate.sessions.is_csrf(cookie, form.get("csrf", "")):
            message = "The form was too old, or cookies are off. Try again."
            return self._form(request, wanted, 403, message)
        address = request.remote or ""
        if wait_s := self._guesses.wait_s(address):
            message = f"Too many wrong tokens. Wait {wait_s} seconds."
            answer = self._form(request, wanted, 429, message)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        caller = self._gate.tokens.holder(form.get("token", "").strip())
        if caller is None:
            self._guesses.wrong(address)
            return self._form(request, wanted, 401, "That is not the token of anyone here.")
        self._gate.sessions.end(cookie)
        answer = web.Response(status=303, headers={"Location": f"./{_ours(wanted)}"})
        self._set_cookie(request, answer, self._gate.sessions.begin(caller))
        return answer

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """End the session: its cookie opens nothing any more, wherever it is."""
        cookie = request.cookies.get(COOKIE, "")
        if self._gate.sessions.caller(cookie) is None:
            message = "there is no session to end"
            raise ProblemError(401 if is_machine(request) else 403, message)
        self._gate.sessions.end(cookie)
        answer = web.Response(status=303, headers={"Location": "./login"})
        answer.del_cookie(COOKIE, path="")
        return answer

    def _form(
        self, request: web.Request, wanted: str, status: int = 200, complaint: str = ""
    ) -> web.Response:
        cookie = request.cookies.get(COOKIE) or fresh_cookie()
        text = outside(
            request,
            "login.html.j2",
            "Log in",
            csrf=self._gate.sessions.csrf(cookie),
            next=_ours(wanted),
            complaint=complaint,
            has_tokens=bool(self._gate.tokens),
            may_read=caller_of(request).role >= Role.READ,
        )
        answer = web.Response(text=text, status=status, content_type="text/html")
        if COOKIE not in request.cookies:
            self._set_cookie(request, answer, cookie)
        return answer

    def _set_cookie(self, request: web.Request, answer: web.Response, cookie: str) -> None:
        """Set a cookie for the folder of this page, which a proxy may have moved."""
        is_secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        answer.set_cookie(
            COOKIE,
            cookie,
            max_age=round(self._gate.sessions.lifetime_s),
            path="",
            secure=is_secure,
            httponly=True,
            samesite="Strict",
        )


def _ours(wanted: str) -> str:
    """Return a path of this server, empty when it is none."""
    is_ours = _PATH.fullmatch(wanted) and ".." not in unquote(wanted)
    return wanted if is_ours else ""
