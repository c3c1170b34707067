"""Refusals: why a sample, or a whole message, is not taken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_DETAIL_LENGTH: Final = 120
_TOPIC_LENGTH: Final = 256


class Reason(StrEnum):
    """What is wrong; the label of the metric that counts refusals."""

    MALFORMED = "malformed"
    """Not in the format at all."""
    INVALID_UTF8 = "invalid_utf8"
    TOO_LARGE = "too_large"
    """More bytes or more samples than one message may have."""
    TOO_DEEP = "too_deep"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_METRIC = "unknown_metric"
    BAD_DIMENSION = "bad_dimension"
    BAD_TIME = "bad_time"
    FUTURE = "future"
    ANCIENT = "ancient"
    SERIES_LIMIT = "series_limit"
    UNKNOWN_TABLE = "unknown_table"
    """Of a source's keys, which it names by number."""


class Refused(Exception):  # noqa: N818 - a verdict on a sample, caught where the next one begins
    """One sample or one message is refused. Never leaves the codecs."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the reason and what a publisher needs to mend it."""
        self.reason = reason
        self.detail = detail
        super().__init__(reason, detail)


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refusal with its place, for the log.

    Attributes
    ----------
    offset
        Which sample of its message, counted from 0; None for the whole message.
    detail
        What was found, at most 120 characters, without control characters.
    """

    reason: Reason
    topic: str
    offset: int | None
    detail: str

    @staticmethod
    def at(reason: Reason, topic: str, offset: int | None, detail: str) -> Rejection:
        """Return a rejection whose texts are safe to print."""
        topic = printable(topic, _TOPIC_LENGTH)
        return Rejection(reason, topic, offset, printable(detail, _DETAIL_LENGTH))


def printable(text: str, length: int) -> str:
    """Return a publisher's text, escaped and cut so that a log can hold it."""
    escaped = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:length]
    )
    is_cut = len(text) > length or len(escaped) > length
    return f"{escaped[: length - 1]}…" if is_cut else escaped
