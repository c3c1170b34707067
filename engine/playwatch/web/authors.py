"""Who says so: the name that stands in the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.runtime.acting import signed
from playwatch.web.callers import caller_of
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

_LONGEST: Final = 200


def author_of(request: web.Request, written: object = None) -> str:
    """Return who says so: as written, else the name of the caller's token.

    A name that differs from the token's is told with it: ``ann (noc-wall)``.

    Raises
    ------
    ProblemError
        If what is written is no name.
    """
    if written is None or written == "":
        return caller_of(request).name
    if not isinstance(written, str) or len(written) > _LONGEST or not written.isprintable():
        message = f"author must be a name of at most {_LONGEST} characters"
        raise ProblemError(422, message)
    return signed(written)
