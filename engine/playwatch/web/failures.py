"""Failures: what goes wrong in a handler, told in the language of whoever asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aiohttp import web

from playwatch import __version__
from playwatch.web.callers import CALLER, Role
from playwatch.web.nav import NAV
from playwatch.web.problems import ProblemError, found_wrong, problem, title_of
from playwatch.web.rendering import render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MUX: Final = "/data/"
"""Begins the paths that Mux's clients ask."""
_MACHINES: Final = ("/api/", "/-/", MUX, "/metrics")
_UNKNOWN: Final = web.HTTPUnauthorized.status_code
_ADVICE: Final = {
    401: "Log in, then do it again.",
    403: "Nothing was changed.",
    404: "The address may be old or mistyped; what it showed may have been removed meanwhile.",
    405: "Open the page itself, and use its buttons.",
    408: "Try again; nothing was changed.",
    413: "Send less at once; nothing was changed.",
    415: "Use the forms of these pages.",
    421: "Ask by localhost, by the address in web.listen, or by a name in web.hosts.",
    429: "Wait a little, then try again.",
    500: "The engine goes on, and its log says what happened. Please report it.",
    503: "Try again in a moment; the status page says what is missing.",
}
"""What a person can do about it, where the error itself does not say."""
_HEADINGS: Final = {
    401: "Log in first",
    403: "Not allowed",
    421: "Not by that name",
    500: "Our mistake",
    503: "Not available",
}
"""Titles of pages, where the words of the protocol say little to a person."""
_FOR_PROGRAMS: Final = {401, 421}
"""Errors whose own hint speaks to whoever writes a program."""
_LOGIN_HELPS: Final = {401, 403}
_BOUNCE: Final = '<!doctype html><meta http-equiv="refresh" content="0"><title>Playwatch</title>\n'


@web.middleware
async def in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer by a handler, or say why not: to programs as problem details, to people as a page."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - `found_wrong` logs what is our fault
        return told(request, found_wrong(request, error))


def told(request: web.Request, error: ProblemError) -> web.Response:
    """Return the answer to a request that an error ended."""
    headers: dict[str, str] = dict(error.headers)
    is_for_mux = request.path.lstrip("/").startswith(MUX[1:])
    if is_for_mux:
        answer = _mux(error)
    elif is_machine(request):
        answer = problem(error.status, error.detail, error.facts)
    else:
        answer = _page(request, error)
    if error.status == _UNKNOWN and answer.status == _UNKNOWN:
        scheme = 'Basic realm="Playwatch", charset="UTF-8"' if is_for_mux else "Bearer"
        headers["WWW-Authenticate"] = scheme
    answer.headers.update(headers)
    return answer


def is_machine(request: web.Request) -> bool:
    """Return whether a program asks: by the path, or by what it accepts."""
    if any(request.path.startswith(begin) for begin in _MACHINES):
        return True
    return "text/html" not in request.headers.get("Accept", "")


def up(request: web.Request) -> str:
    """Return the way from a page to the root, relative: it holds behind any prefix."""
    return "../" * (request.path.count("/") - 1) or "./"


def _mux(error: ProblemError) -> web.Response:
    """Return an error as Mux's API does."""
    kinds = {400: "invalid_parameters", 401: "unauthorized", 404: "not_found"}
    body: dict[str, Any] = {
        "error": {"type": kinds.get(error.status, "error"), "messages": [error.detail]}
    }
    return web.json_response(body, status=error.status)


def _page(request: web.Request, error: ProblemError) -> web.Response:
    if error.status == _UNKNOWN and request.method == "GET":
        # The cookie does not travel with a link from elsewhere; it does with our own.
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return web.Response(text=_BOUNCE, content_type="text/html")
        wanted = quote(request.raw_path.lstrip("/"), safe="")
        location = f"{up(request)}login?next={wanted}"
        return web.Response(status=303, headers={"Location": location})
    caller = request.get(CALLER)
    may_read = caller is not None and caller.role >= Role.READ
    text = outside(
        request,
        "error.html.j2",
        _HEADINGS.get(error.status) or title_of(error.status),
        status=error.status,
        detail=error.detail,
        hint="" if error.status in _FOR_PROGRAMS else str(error.facts.get("hint", "")),
        advice=_ADVICE.get(error.status, ""),
        asks_for_login=caller is not None and error.status in _LOGIN_HELPS,
        may_read=may_read,
    )
    return web.Response(text=text, status=error.status, content_type="text/html")


def outside(request: web.Request, template: str, title: str, **values: object) -> str:
    """Return a page for somebody who may not be let in: the frame, and nothing of the engine."""
    return render(template, root=up(request), title=title, nav=NAV, version=__version__, **values)
