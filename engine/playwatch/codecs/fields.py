"""Fields: the parts of a JSON sample, each read on its own with its own reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Raw
from msgspec.json import Decoder

from playwatch.core.refusals import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    Fields = Mapping[str, Raw]

_T = TypeVar("_T")

# Enough for any audience, and far from where a sum of them overflows.
Views = Annotated[int, Meta(ge=0, le=10**12)]
# Milliseconds with 11 to 14 digits, 1970 to 5138: fewer are seconds, more are
# microseconds.
At = Annotated[int, Meta(ge=10**10, le=10**14 - 1)] | Annotated[datetime, Meta(tz=True)] | None
Source = Annotated[str, Meta(min_length=1, max_length=256)] | None
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)] | None
Time = int | datetime | None
"""A time as it is decoded; None is the time of arrival."""

RAWS: Final = Decoder(list[Raw])
FIELDS: Final = Decoder(dict[str, Raw])
TEXT: Final = Decoder(str)
_DIMENSIONS: Final = Decoder(dict[str, str | int | float | bool | None] | None)
_NUMBER: Final = Decoder(float)
_VIEWS: Final[Decoder[int]] = Decoder(Views)
_AT: Final[Decoder[Time]] = Decoder(At)
_SOURCE: Final[Decoder[str | None]] = Decoder(Source)
_SEQ: Final[Decoder[int | None]] = Decoder(Seq)

_SECONDS_DIGITS: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

_NOT_FINITE: Final = b'"\\u0000NaN"'
# Strings are matched to be left alone; an unended one runs to the end, so that
# any payload takes linear time.
_LITERAL: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?Infinity|NaN', re.DOTALL)
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def read(
    decoder: Decoder[_T], raw: bytes | Raw, name: str, wrong: Reason = Reason.WRONG_TYPE
) -> _T:
    """Return what bytes mean; refuse those that mean nothing, or something else.

    Parameters
    ----------
    decoder
        Reads the bytes and checks their type.
    raw
        JSON.
    name
        What the bytes are, for the detail.
    wrong
        The reason when they are JSON of another type.

    Raises
    ------
    Refused
        ``malformed``, ``invalid_utf8``, ``too_deep`` or ``wrong``.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise Refused(wrong, f"{name}: {error}") from None
    except msgspec.DecodeError as error:
        reason = Reason.MALFORMED if _is_utf8(bytes(raw)) else Reason.INVALID_UTF8
        raise Refused(reason, f"{name}: {error}") from None
    except UnicodeDecodeError as error:
        raise Refused(Reason.INVALID_UTF8, f"{name}: {error.reason}") from None
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, f"{name}: nested too deeply") from None


def _is_utf8(raw: bytes) -> bool:
    """Return whether bytes are text at all; asked only of what is malformed."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def number(fields: Fields) -> tuple[str | None, int | None]:
    """Return source and sequence number, None where absent."""
    source = read(_SOURCE, fields["source"], "source") if "source" in fields else None
    return source, read(_SEQ, fields["seq"], "seq") if "seq" in fields else None


def required(fields: Fields, name: str) -> bytes:
    """Return the bytes of a field that every sample has."""
    if name not in fields:
        raise Refused(Reason.MISSING_FIELD, f"{name} is missing")
    return bytes(fields[name])


def value(raw: bytes) -> float:
    """Return a finite number."""
    # A number that is no float is greater than all floats.
    is_number = raw == _NOT_FINITE or raw[:1] in b"-0123456789"
    return read(_NUMBER, raw, "value", Reason.NOT_FINITE if is_number else Reason.WRONG_TYPE)


def views(raw: bytes) -> int:
    """Return a number of views."""
    is_integer = raw.lstrip(b"-").isdigit()
    return read(_VIEWS, raw, "views", Reason.OUT_OF_RANGE if is_integer else Reason.WRONG_TYPE)


def at(raw: bytes) -> Time:
    """Return a time, with a hint when it is in another unit."""
    hint = ""
    if raw.isdigit():
        hint = " (seconds?)" if len(raw) <= _SECONDS_DIGITS else " (microseconds?)"
    return read(_AT, raw, f"at{hint}", Reason.BAD_TIME)


def dimensions(raw: bytes) -> Mapping[str, object]:
    """Return dimensions as they were written; null means none."""
    return read(_DIMENSIONS, raw, "dimensions", Reason.BAD_DIMENSION) or {}


def mended(payload: bytes) -> bytes:
    """Return a payload without what JSON libraries write though JSON has it not.

    NaN and Infinity become a text that no field accepts, so that only their own
    sample is refused. Half a surrogate pair, as in a title cut within an emoji,
    becomes U+FFFD.
    """
    if b"NaN" in payload or b"Infinity" in payload:
        payload = _LITERAL.sub(
            lambda found: found[0] if found[0].startswith(b'"') else _NOT_FINITE, payload
        )
    if b"\\u" in payload:
        payload = _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], payload)
    return payload


def milliseconds(moment: datetime) -> int:
    """Return a moment with a zone as milliseconds since the epoch, UTC."""
    return (moment - _EPOCH) // _MILLISECOND
