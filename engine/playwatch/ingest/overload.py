"""More than the engine can follow: counted by reason, and said at a bounded rate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwatch.ports import Clock
    from playwatch.telemetry import Telemetry

PERIOD_S: Final = 10.0
"""At most one line of each kind in so many seconds."""
BEHIND_S: Final = 1.0
"""How long messages may wait to be read before anyone is told."""

log = logging.getLogger("playwatch.ingest")


class Overload:
    """Counts what a source drops and how far reading is behind, and says both.

    Parameters
    ----------
    name
        The source.
    """

    def __init__(self, name: str, clock: Clock, telemetry: Telemetry) -> None:
        self._name = name
        self._clock = clock
        self._counter = telemetry.messages_dropped
        self._wait = telemetry.queue_wait.labels(name)
        self._unsaid = 0
        self._dropped_ms: int | None = None
        self._said_ms: int | None = None
        self._behind_ms: int | None = None

    def drop(self, reason: str, waiting: int) -> None:
        """Count a dropped message; say so unless that was said a moment ago."""
        self._counter.labels(self._name, reason).inc()
        self._unsaid += 1
        self._dropped_ms = now_ms = self._clock.monotonic_ms()
        if not _is_over(self._said_ms, now_ms):
            return
        besides = f"; {self._unsaid} since the last such line" if self._said_ms is not None else ""
        log.warning(
            "%s: %d messages wait to be read, more than the engine can follow (%s): messages of"
            " QoS 0 are dropped%s",
            self._name,
            waiting,
            reason.replace("_", " "),
            besides,
        )
        self._said_ms = now_ms
        self._unsaid = 0

    def read(self, waited_ms: int) -> None:
        """Note how long the oldest message of a read has waited."""
        self._wait.set(waited_ms / 1000)
        now_ms = self._clock.monotonic_ms()
        if waited_ms >= BEHIND_S * 1000 and _is_over(self._behind_ms, now_ms):
            self._behind_ms = now_ms
            log.warning(
                "%s: messages wait %.1f s to be read, the engine is behind; those of QoS 1 are"
                " held back by the broker and not lost here",
                self._name,
                waited_ms / 1000,
            )
        if self._dropped_ms is not None and _is_over(self._dropped_ms, now_ms):
            log.info(
                "%s: nothing is dropped any more; %d since the last line",
                self._name,
                self._unsaid,
            )
            self._dropped_ms = self._said_ms = None
            self._unsaid = 0


def _is_over(since_ms: int | None, now_ms: int) -> bool:
    return since_ms is None or now_ms - since_ms >= PERIOD_S * 1000
