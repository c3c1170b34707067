"""Lateness: whether samples reach the engine ever later than they used to.

At QoS 1 nothing is lost beyond the rate that the engine can follow: messages
wait at the broker, in their order, where the engine cannot see them. But their
samples say when they were measured. Where even the youngest of many are older
than usual, somebody holds them: the broker, because the engine does not keep
up, or whoever sends them.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwatch.core.samples import Instant
    from playwatch.telemetry import Telemetry

PERIOD_S: Final = 10.0
"""How long samples are gathered to tell how late they are."""
ENOUGH: Final = 1_000
"""Of fewer samples in that time, a source that is always late may be the only one."""
BEHIND_S: Final = 5.0
"""How much later than usual is said."""

_PERIODS_REMEMBERED: Final = 60

log = logging.getLogger("playwatch.evaluate")


class Lateness:
    """Watches how old the youngest samples are, and says when they grow older.

    What was the least in the last ten minutes is usual, so a source that is
    always late is not behind, and one that has become so is for ten minutes.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._behind = telemetry.behind
        self._recent: deque[int] = deque(maxlen=_PERIODS_REMEMBERED)
        self._since_ms: int | None = None
        self._samples = 0
        self._least_ms = 0
        self._is_behind = False

    def note(self, newest_at: int, samples: int, now: Instant) -> None:
        """Take in that so many samples came, and when the youngest of them was measured."""
        age_ms = max(0, now.at - newest_at)
        if self._since_ms is None:
            self._since_ms, self._least_ms, self._samples = now.monotonic_ms, age_ms, 0
        self._least_ms = min(self._least_ms, age_ms)
        self._samples += samples
        if now.monotonic_ms - self._since_ms >= PERIOD_S * 1000:
            self._since_ms = None
            if self._samples >= ENOUGH:
                self._judge(self._least_ms)

    def _judge(self, least_ms: int) -> None:
        behind_ms = least_ms - min(self._recent, default=least_ms)
        self._recent.append(least_ms)
        self._behind.set(max(0, behind_ms) / 1000)
        was_behind, self._is_behind = self._is_behind, behind_ms >= BEHIND_S * 1000
        if self._is_behind:
            log.warning(
                "the newest samples are %.0f s old, %.0f s more than usual: more come than the"
                " engine can follow and the broker holds them back, or their sources send late",
                least_ms / 1000,
                behind_ms / 1000,
            )
        elif was_behind:
            log.info("the newest samples are %.0f s old, as usual again", least_ms / 1000)
