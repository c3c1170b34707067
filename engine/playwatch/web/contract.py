"""The contract: types check what callers send, and write what they get.

The same types make the OpenAPI document, so nothing is said twice.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from aiohttp import web

from playwatch.web.problems import ProblemError

_T = TypeVar("_T", bound=msgspec.Struct)

_ENCODER: Final = msgspec.json.Encoder()
_PLACE: Final = re.compile(r"(?s)(.*) - at `\$\.?([^`]*)`")


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller sends: a query or a body, and no name beside those it has."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller gets; NaN and infinity are written as null."""


def answer(value: object, status: int = 200) -> web.Response:
    """Return a value as JSON."""
    return web.Response(body=_ENCODER.encode(value), status=status, content_type="application/json")


def asked_of(request: web.Request, kind: type[_T], *, is_strict: bool = True) -> _T:
    """Return what the query of a request asks for.

    Parameters
    ----------
    is_strict
        Whether a name that is not known is an error, or passed over.

    Raises
    ------
    ProblemError
        With the name of the parameter that cannot be understood.
    """
    hints = _fields(kind)
    given: dict[str, object] = {}
    for name in request.query:
        values = request.query.getall(name)
        if name not in hints and not is_strict:
            continue
        is_list = _is_list(hints.get(name))
        if len(values) > 1 and not is_list:
            message = f"{name} is given more than once"
            raise ProblemError(400, message)
        given[name] = values if is_list else values[0]
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _misunderstood(error, 400, hints) from None


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the names of a type as callers write them, and what each may be."""
    return {one.encode_name: one.type for one in msgspec.structs.fields(kind)}


def _is_list(kind: Any) -> bool:  # noqa: ANN401 - any annotation
    return get_origin(get_args(kind)[0] if get_origin(kind) is Annotated else kind) is tuple


def is_text(value: str) -> bool:
    """Return whether a text has a spelling in UTF-8 and no NUL."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _misunderstood(
    error: msgspec.ValidationError, status: int, known: dict[str, Any]
) -> ProblemError:
    """Return an error of a decoder as a sentence about a name."""
    place = _PLACE.fullmatch(str(error))
    said, name = (place[1], place[2]) if place else (str(error), "")
    said = said.replace("`", "'")
    said = said[:1].lower() + said[1:]
    detail = f"{name.partition('[')[0]}: {said}" if name else said
    return ProblemError(status, detail, hint=f"known are {', '.join(sorted(known))}")
