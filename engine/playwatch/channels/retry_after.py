"""How long a receiver asks to be left alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 300.0

_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_MOST_DIGITS: Final = 12


def retry_after_s(headers: Mapping[str, str], now_at: int) -> float | None:
    """Return the pause that an answer asks for, in seconds from 1 to 300.

    Parameters
    ----------
    headers
        Of the answer; looked up without regard to case by the mapping itself.
    now_at
        Wall clock, milliseconds. Used for a date only when the answer has no
        ``Date`` of its own, so a wrong clock here does not matter.

    Returns
    -------
    float or None
        ``Retry-After`` in seconds or as an HTTP date, else ``ratelimit-reset``
        in seconds. A date that has passed is one second; what cannot be read,
        negative numbers too, is None.

    References
    ----------
    RFC 9110, section 10.2.3.
    """
    for name in ("Retry-After", "ratelimit-reset"):
        asked = headers.get(name, "").strip()
        if _SECONDS.fullmatch(asked):
            whole = asked.partition(".")[0]
            return _clamped(float(asked) if len(whole) <= _MOST_DIGITS else LONGEST_S)
    until = _date(headers.get("Retry-After", ""))
    if until is None:
        return None
    now = _date(headers.get("Date", ""))
    return _clamped(until - (now_at / 1000 if now is None else now))


def _clamped(seconds: float) -> float:
    return min(max(seconds, SHORTEST_S), LONGEST_S)


def _date(text: str) -> float | None:
    """Return an HTTP date as seconds since the epoch; None when it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (moment - epoch).total_seconds()
