"""Moments as JSON has them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: int | None) -> str | None:
    """Return epoch milliseconds as RFC 3339 in UTC; None stays None."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
