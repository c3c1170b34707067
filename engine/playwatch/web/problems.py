"""Errors as problem details (RFC 9457): one JSON object that a person can act on."""

from __future__ import annotations

import logging
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aiohttp import web

from playwatch.errors import ConfigError, ConflictError, InvalidError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("playwatch.web")


class ProblemError(Exception):
    """What a handler raises in place of an answer.

    Parameters
    ----------
    status
        Of the answer.
    detail
        One sentence for the caller; never a secret.
    facts
        More members of the object.

    Attributes
    ----------
    headers
        More headers of the answer.
    """

    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, status: int, detail: str, **facts: object) -> None:
        self.status = status
        self.detail = detail
        self.facts = facts
        super().__init__(detail)


def problem(status: int, detail: str, facts: Mapping[str, object] | None = None) -> web.Response:
    """Return an answer that says what is wrong."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        **(facts or {}),
    }
    return web.json_response(body, status=status, content_type="application/problem+json")


def title_of(status: int) -> str:
    """Return what a status means, in a few words."""
    return _TITLES.get(status, "Error")


def found_wrong(request: web.Request, error: Exception) -> ProblemError:
    """Return an error that a handler ended with as what its caller is told.

    Raises
    ------
    aiohttp.web.HTTPException
        The same again where it is no error, such as a redirect.

    Notes
    -----
    The log has the traceback of what is nobody's fault but ours; the caller
    only hears its kind.
    """
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, ConfigError | InvalidError | ConflictError):
        return _callers_fault(error)
    if isinstance(error, StoreError):
        return ProblemError(web.HTTPServiceUnavailable.status_code, str(error))
    if isinstance(error, web.HTTPException):
        if error.status < web.HTTPBadRequest.status_code:
            raise error
        found = ProblemError(error.status, _DETAILS.get(error.status, error.reason))
        found.headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return found
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    detail = f"internal error: {type(error).__name__}"
    return ProblemError(web.HTTPInternalServerError.status_code, detail)


def _callers_fault(error: ConfigError | InvalidError | ConflictError) -> ProblemError:
    invalid = web.HTTPUnprocessableEntity.status_code
    if isinstance(error, ConfigError):
        detail = "the configuration has mistakes, nothing has changed"
        return ProblemError(invalid, detail, problems=[asdict(one) for one in error.problems])
    if isinstance(error, InvalidError):
        mistakes = [
            {"pointer": f"#{one.pointer}", "detail": one.message, "hint": one.hint}
            for one in error.mistakes
        ]
        detail = "the body has mistakes, nothing has changed"
        return ProblemError(invalid, detail, errors=mistakes)
    hint = {"hint": error.hint} if error.hint else {}
    return ProblemError(web.HTTPConflict.status_code, error.message, **hint)


_DETAILS = {
    404: "there is no such path",
    405: "this path does not take that method",
    413: "the body is longer than this server takes",
}

_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Cannot be processed",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}
