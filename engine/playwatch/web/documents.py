"""Silences, remarks and reloads as JSON, and what callers send as values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from playwatch.config.matching import Pattern, write_pattern
from playwatch.config.mute import matchers_of
from playwatch.config.quantities import parse_duration
from playwatch.core.edits import EditKind
from playwatch.core.silences import Silence
from playwatch.runtime.desk import SilenceRequest
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.core.decisions import Remark
    from playwatch.core.rules import Matcher
    from playwatch.runtime.reload import ReloadReport

Document = dict[str, Any]

_LONGEST_TEXT: Final = 4_000
_LONGEST_SILENCE_MS: Final = 366 * 86_400_000
_MOST_MATCHERS: Final = 50


def moment(at: int) -> str:
    """Return epoch milliseconds as RFC 3339 in UTC."""
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def at_of(written: str) -> int:
    """Return the epoch milliseconds of a time in RFC 3339.

    Raises
    ------
    ValueError
        If it is none, or names no time zone.
    """
    parsed = datetime.fromisoformat(written)
    if parsed.tzinfo is None:
        message = f"'{written}' names no time zone: add Z or +01:00"
        raise ValueError(message)
    return round(parsed.timestamp() * 1000)


def matcher_document(matchers: tuple[Matcher, ...]) -> Document:
    """Return matchers as people write them, by name."""
    return {
        one.dimension: write_pattern(Pattern(one.include, one.exclude, one.must_be_missing))
        for one in matchers
    }


def silence_document(silence: Silence) -> Document:
    """Return a silence as JSON."""
    return {
        "id": silence.id,
        "matchers": matcher_document(silence.matchers),
        "starts_at": moment(silence.starts_at),
        "ends_at": moment(silence.ends_at),
        "author": silence.author,
        "comment": silence.comment,
        "created_at": moment(silence.created_at),
    }


def silence_of(document: Document) -> Silence:
    """Return the silence that `silence_document` wrote."""
    return Silence(
        id=document["id"],
        matchers=matchers_of(document["matchers"]),
        starts_at=at_of(document["starts_at"]),
        ends_at=at_of(document["ends_at"]),
        author=document["author"],
        comment=document["comment"],
        created_at=at_of(document["created_at"]),
    )


def request_document(request: SilenceRequest) -> Document:
    """Return what asks for a silence as JSON."""
    starts = {} if request.starts_at is None else {"starts_at": moment(request.starts_at)}
    return {
        "matchers": matcher_document(request.matchers),
        "ends_at": moment(request.ends_at),
        "author": request.author,
        "comment": request.comment,
        **starts,
    }


def remark_document(remark: Remark) -> Document:
    """Return a remark as JSON."""
    return {
        "incident_id": remark.incident_id,
        "at": moment(remark.at),
        "kind": remark.kind.value,
        "author": remark.author,
        "text": remark.text,
    }


def report_document(report: ReloadReport) -> Document:
    """Return what a reload did as JSON; rules that stay the same are left out unless open."""
    return {
        "rules": [
            {
                "rule": edit.rule,
                "change": edit.kind.value,
                "incidents_kept": list(edit.kept),
                "incidents_closed": list(edit.closed),
            }
            for edit in report.rules
            if edit.kind is not EditKind.SAME or edit.kept
        ],
        "channels": {
            "added": list(report.added),
            "changed": list(report.changed),
            "removed": list(report.removed),
        },
        "needs_restart": list(report.needs_restart),
    }


async def body_of(request: web.Request, known: set[str] | None = None) -> Document:
    """Return the JSON object that a caller sent.

    Parameters
    ----------
    known
        What members it may have; None for whoever reads it to say.

    Raises
    ------
    ProblemError
        If it is no object, or has a member that is not known.
    """
    try:
        body = json.loads(await request.text() or "{}")
    except (ValueError, RecursionError):
        message = "the body is not JSON"
        raise ProblemError(400, message) from None
    if not isinstance(body, dict):
        message = "the body is not a JSON object"
        raise ProblemError(400, message)
    if known is not None and (unknown := sorted(body.keys() - known)):
        message = f"'{unknown[0]}' is not known"
        raise ProblemError(422, message, hint=f"known are {', '.join(sorted(known))}")
    return body


def text_of(body: Document, name: str, *, is_needed: bool = True) -> str:
    """Return a text of a body, without the white space round it."""
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\0" in value:
        message = f"{name} must be a text of at most {_LONGEST_TEXT} characters"
        raise ProblemError(422, message)
    if is_needed and not value.strip():
        message = f"{name} is needed"
        raise ProblemError(422, message)
    try:
        value.encode()
    except UnicodeEncodeError:
        message = f"{name} is not text in UTF-8"
        raise ProblemError(422, message) from None
    return value.strip()


def silence_request(body: Document, now_at: int) -> SilenceRequest:
    """Return the silence that a body asks for.

    Raises
    ------
    ProblemError
        If it matches nothing by name, has no end, or ends before it starts.
    """
    written = body.get("matchers")
    if not isinstance(written, dict) or not written or len(written) > _MOST_MATCHERS:
        message = "matchers must be an object with at least one name"
        raise ProblemError(422, message, hint='write {"rule": "*"} to silence everything')
    try:
        matchers = matchers_of(written)
        starts_at = at_of(text_of(body, "starts_at")) if "starts_at" in body else None
        if ("ends_at" in body) == ("for" in body):
            message = "give one of ends_at and for"
            raise ProblemError(422, message)
        if "ends_at" in body:
            ends_at = at_of(text_of(body, "ends_at"))
        else:
            begin = now_at if starts_at is None else starts_at
            ends_at = begin + round(parse_duration(text_of(body, "for")) * 1000)
    except (ValueError, OverflowError) as error:
        raise ProblemError(422, str(error)) from None
    begin = now_at if starts_at is None else starts_at
    if ends_at <= max(begin, now_at) or ends_at - begin > _LONGEST_SILENCE_MS or begin < 0:
        message = "a silence ends after it starts, in the future, and lasts a year at most"
        raise ProblemError(422, message)
    return SilenceRequest(
        matchers,
        ends_at,
        text_of(body, "author"),
        text_of(body, "comment", is_needed=False),
        starts_at,
    )
