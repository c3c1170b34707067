"""Facts of an incident as JSON that every receiver can read.

NaN and infinity become null, lone surrogates and control characters U+FFFD,
over-long texts are shortened.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from playwatch.channels.wording import one_line, plain, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

Fields = dict[str, object]

TEXT_LIMIT: Final = 1_024
_URL_LIMIT: Final = 2_048
_DIMENSIONS_BYTES: Final = 100_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER: Final = msgspec.json.Encoder()


def encoded(document: Fields) -> bytes:
    """Return a document as UTF-8 JSON; the same bytes for the same document."""
    return _ENCODER.encode(document)


def text(value: object) -> str:
    """Return a value as text of at most 1,024 characters."""
    if isinstance(value, str) and len(value) <= TEXT_LIMIT and value.isprintable():
        return value  # as nearly all are
    return shortened(plain(value), TEXT_LIMIT)


def line(value: object) -> str:
    """Return a value as one line of at most 1,024 characters."""
    return shortened(one_line(value), TEXT_LIMIT)


def number(value: float | None) -> float | None:
    """Return a number; None for what JSON cannot hold."""
    return None if value is None or not math.isfinite(value) else float(value)


# The same few moments stand in the trigger, the resolve and every attempt.
@lru_cache(maxsize=4096)
def timestamp(at: int | None) -> str | None:
    """Return RFC 3339 with ``Z``; None for what no calendar holds."""
    if at is None:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=int(at))
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dimensions(breakdowns: Iterable[tuple[str, str]]) -> tuple[dict[str, str], int]:
    """Return a group by name, and how many dimensions beyond 100,000 bytes are left out."""
    kept: dict[str, str] = {}
    left_out = 0
    room = _DIMENSIONS_BYTES
    for name, value in breakdowns:
        sendable, shown = text(name), text(value)
        room -= len(sendable.encode()) + len(shown.encode())
        if room < 0:
            left_out += 1
        else:
            kept[sendable] = shown
    return kept, left_out


def is_link(url: str) -> bool:
    """Return whether a receiver will take a text for an address of the web."""
    return (
        url.startswith(("https://", "http://"))
        and len(url) <= _URL_LIMIT
        and url == one_line(url)
        and " " not in url
    )
