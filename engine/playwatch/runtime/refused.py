"""Logs what was refused, at a bounded rate: a bad publisher must not fill a disk."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwatch.core.intaken import Intaken
    from playwatch.core.samples import Instant

LINES: Final = 5
"""Refusals of one reason told in detail per period."""
PERIOD_S: Final = 10.0

log = logging.getLogger("playwatch.refused")


@dataclass(slots=True)
class _Period:
    """What was told and what was kept back since a moment."""

    began_ms: int
    told: Counter[str] = field(default_factory=Counter)
    kept_back: Counter[str] = field(default_factory=Counter)


class RefusalLog:
    """Tells the first refusals of each reason in a period, and counts the others.

    Notes
    -----
    A period ends with the first refusal after it, which brings the sum of
    what was kept back.
    """

    def __init__(self) -> None:
        self._period = _Period(began_ms=0)

    def note(self, intaken: Intaken, now: Instant) -> None:
        """Log what one read refused."""
        if now.monotonic_ms - self._period.began_ms >= PERIOD_S * 1000:
            self._sum_up()
            self._period = _Period(now.monotonic_ms)
        period = self._period
        told: Counter[str] = Counter()
        for rejection in intaken.rejections:
            reason = rejection.reason.value
            if period.told[reason] >= LINES:
                continue
            period.told[reason] += 1
            told[reason] += 1
            place = "" if rejection.offset is None else f" sample {rejection.offset}"
            log.warning("%s: %s%s: %s", reason, rejection.topic, place, rejection.detail)
        for refusal, count in intaken.rejected.items():
            period.kept_back[refusal.value] += count - told[refusal.value]

    def _sum_up(self) -> None:
        kept_back = +self._period.kept_back
        if kept_back:
            sums = ", ".join(f"{count} {reason}" for reason, count in kept_back.most_common())
            log.warning("refused besides in the last period: %s", sums)
