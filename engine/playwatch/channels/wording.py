"""What is said of an incident, in words that every receiver can take."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from playwatch.core.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.incidents import Incident

_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ZERO_WIDTH_JOINER: Final = "\u200d"
_LONGEST_SEQUENCE: Final = 64
_PLACE_LIMIT: Final = 2_000


def plain(value: object) -> str:
    """Return a value as text that is valid Unicode without control characters.

    Lone surrogates and control characters other than tab and line ends become
    U+FFFD; bytes are read as UTF-8.
    """
    if isinstance(value, str) and value.isprintable():  # as nearly all are
        return value
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    if text.isprintable():
        return text
    return _UNSAFE.sub("\ufffd", text)


def one_line(value: object) -> str:
    """Return a value as one line of text: every run of white space is a space."""
    return " ".join(plain(value).split())


def shortened(text: str, limit: int) -> str:
    """Return text of at most so many characters, ending in ``…`` when it was cut.

    The cut leaves no base character without the combining marks, variation
    selectors, skin tones or joined emoji that followed it; a sequence of more
    than 64 characters is cut where it must be.
    """
    if len(text) <= limit:
        return text
    end = max(limit - 1, 0)
    for cut in range(end, max(end - _LONGEST_SEQUENCE, 0), -1):
        if not _continues(text, cut):
            return text[:cut].rstrip() + "…"
    return text[:end] + "…"


def _continues(text: str, cut: int) -> bool:
    """Return whether the character at ``cut`` belongs to the one before it."""
    following = text[cut]
    return (
        unicodedata.category(following).startswith("M")
        or following == _ZERO_WIDTH_JOINER
        or text[cut - 1] == _ZERO_WIDTH_JOINER
        or "\U0001f3fb" <= following <= "\U0001f3ff"
        or _splits_a_flag(text, cut)
    )


def _splits_a_flag(text: str, cut: int) -> bool:
    """Return whether the cut falls inside a pair of regional indicators."""
    before = 0
    while before < cut and "\U0001f1e6" <= text[cut - 1 - before] <= "\U0001f1ff":
        before += 1
    return before % 2 == 1 and "\U0001f1e6" <= text[cut] <= "\U0001f1ff"


def place(breakdowns: Iterable[tuple[object, object]], separator: str = ",") -> str:
    """Return a group in words: ``country=DE,cdn=fastly``; empty for all series.

    Dimensions beyond some 2,000 characters are left out, behind a ``…``.
    """
    parts: list[str] = []
    room = _PLACE_LIMIT
    for name, value in breakdowns:
        if room < 0:
            parts.append("…")
            break
        parts.append(f"{one_line(name)}={one_line(value)}")
        room -= len(parts[-1])
    return separator.join(parts)


def headline(incident: Incident) -> str:
    """Return what happened in one line: the incident's summary, or the built-in one.

    ``Playback failure percentage 7.4 % (> 5) in country=DE: 74 of 1,000 views
    affected``. It is never blank.
    """
    return one_line(incident.summary) or one_line(summarise(incident))


def lasted(incident: Incident) -> str:
    """Return how an incident ended: why, and how long it lasted."""
    why = one_line(incident.reason) or incident.status.value
    if incident.resolved_at is None:
        return why
    seconds = max(incident.resolved_at - incident.started_at, 0) // 1000
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    took = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
    return f"{why} after {took}"
