"""Errors as problem details (RFC 9457): one JSON object that a person can act on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from playwatch.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

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
    """

    def __init__(self, status: int, detail: str, **facts: object) -> None:
        self.status = status
        self.detail = detail
        self.facts = facts
        super().__init__(detail)


def problem(status: int, detail: str, facts: dict[str, object] | None = None) -> web.Response:
    """Return an answer that says what is wrong."""
    title = _TITLES.get(status, "Error")
    body: dict[str, Any] = {"title": title, "status": status, "detail": detail, **(facts or {})}
    headers = {"WWW-Authenticate": "Bearer"} if status == web.HTTPUnauthorized.status_code else None
    return web.json_response(
        body, status=status, content_type="application/problem+json", headers=headers
    )


async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer by a handler; turn everything that goes wrong into problem details."""
    try:
        return await handler(request)
    except ProblemError as error:
        return problem(error.status, error.detail, dict(error.facts))
    except ConfigError as error:
        facts: dict[str, object] = {
            "problems": [
                {
                    "file": one.file,
                    "line": one.line,
                    "column": one.column,
                    "path": one.path,
                    "message": one.message,
                    "hint": one.hint,
                }
                for one in error.problems
            ]
        }
        detail = "the configuration has mistakes, nothing has changed"
        return problem(web.HTTPUnprocessableEntity.status_code, detail, facts)
    except StoreError as error:
        return problem(web.HTTPServiceUnavailable.status_code, str(error))
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            raise
        return problem(error.status, error.reason)
    except Exception as error:
        log.exception("%s %s failed", request.method, request.path)
        detail = f"internal error: {type(error).__name__}"
        return problem(web.HTTPInternalServerError.status_code, detail)


_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Cannot be processed",
    500: "Internal error",
    503: "Unavailable",
}
