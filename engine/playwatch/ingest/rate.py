"""How many messages arrive each second, and whether that is too many."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwatch.ports import Clock

log = logging.getLogger("playwatch.ingest")


class RateWatch:
    """Warns once when more messages arrive each second than a broker can bear."""

    def __init__(self, name: str, clock: Clock, limit: float | None) -> None:
        self._name = name
        self._clock = clock
        self._limit = limit
        self._since_ms = clock.monotonic_ms()
        self._count = 0
        self._is_high = False

    def add(self, count: int) -> None:
        """Count arrivals; judge once a second."""
        if self._limit is None:
            return
        self._count += count
        passed_ms = self._clock.monotonic_ms() - self._since_ms
        if passed_ms < 1000:  # noqa: PLR2004 - a second
            return
        rate = self._count * 1000 / passed_ms
        if rate > self._limit and not self._is_high:
            log.warning(
                "%s: %.0f messages per second, more than the %.0f that the embedded broker can"
                " bear without losing some: use a broker such as mosquitto",
                self._name,
                rate,
                self._limit,
            )
        self._is_high = rate > (self._limit / 2 if self._is_high else self._limit)
        self._since_ms += passed_ms
        self._count = 0
