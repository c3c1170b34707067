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
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from playwatch.core.samples import Instant
    from playwatch.telemetry import Telemetry

PERIOD_S: Final = 10.0
"""How often is judged how late samples are."""
ENOUGH: Final = 1_000
"""Of fewer samples in that time, a source that is always late may be the only one."""
BEHIND_S: Final = 5.0
"""How much later than usual is said."""

_MINUTE: Final = 6
"""Periods of which the youngest sample counts: many sources cut times to the minute."""
_PERIODS_REMEMBERED: Final = 60

log = logging.getLogger("playwatch.evaluate")


class Lateness:
    """Watches how old the youngest samples of a minute are, and says when they grow older.

    The least of the last ten minutes is usual, whatever the clocks of sources
    say. Samples of the past are not held back by anybody: what is held back
    grows older by ten seconds in ten seconds at most, and bit by bit. Those
    without a time of their own tell nothing.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._behind = telemetry.behind
        self._minute: deque[int | None] = deque(maxlen=_MINUTE)
        self._recent: deque[int] = deque(maxlen=_PERIODS_REMEMBERED)
        self._since_ms: int | None = None
        self._samples = 0
        self._least_ms: int | None = None
        self._before_ms = 0
        self._last: tuple[int, int] | None = None
        self._is_behind = False

    def note(self, ats: NDArray[np.int64], now: Instant) -> None:
        """Take in when the samples of a read were measured; shape ``(n,)``, n > 0."""
        newest_at = int(ats.max())
        if newest_at == now.at:
            ats = ats[ats != now.at]  # the others were given the time of their arrival
            if not len(ats):
                return
            newest_at = int(ats.max())
        age_ms = now.at - newest_at
        self._least_ms = age_ms if self._least_ms is None else min(self._least_ms, age_ms)
        self._samples += len(ats)

    def look(self, now: Instant) -> None:
        """Judge what came, each time that a period is over; to be called once a second."""
        if self._since_ms is None:
            self._since_ms = now.monotonic_ms
        if now.monotonic_ms - self._since_ms < PERIOD_S * 1000:
            return
        self._since_ms = now.monotonic_ms
        least_ms = self._least_ms if self._samples >= ENOUGH else None
        self._least_ms, self._samples = None, 0
        if least_ms is not None:
            self._forget_another_past(least_ms, now)
        self._minute.append(least_ms)
        known = [one for one in self._minute if one is not None]
        if known:
            self._judge(min(known))
        else:
            self._behind.set(0)
            self._is_behind = False

    def _forget_another_past(self, least_ms: int, now: Instant) -> None:
        """Begin anew when samples are older by more than the time that has passed."""
        if self._last is not None:
            before_ms, then_ms = self._last
            if least_ms - before_ms > now.monotonic_ms - then_ms + PERIOD_S * 1000:
                self._minute.clear()
                self._recent.clear()
        self._last = least_ms, now.monotonic_ms

    def _judge(self, least_ms: int) -> None:
        ages = [*self._recent, least_ms]
        since = ages[ages.index(min(ages)) :]
        behind_ms = least_ms - since[0]
        in_one_step_ms = max((b - a for a, b in pairwise(since)), default=0)
        self._behind.set(behind_ms / 1000)
        is_late = behind_ms >= BEHIND_S * 1000
        was_behind = self._is_behind
        self._is_behind = is_late and (
            was_behind or behind_ms - in_one_step_ms >= BEHIND_S * 1000 / 2
        )
        is_growing = least_ms > self._before_ms
        self._before_ms = least_ms
        if not (
            self._is_behind and is_growing
        ):  # as long as it grows, what was usual before it stays so
            self._recent.append(least_ms)
        if self._is_behind:
            log.warning(
                "the newest samples are %.0f s old, %.0f s more than usual: more come than the"
                " engine can follow and the broker holds them back, or their sources send late",
                least_ms / 1000,
                behind_ms / 1000,
            )
        elif was_behind:
            log.info("the newest samples are %.0f s old, as usual again", least_ms / 1000)
