"""A voice: one who speaks now and then, and how long its silences usually are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

KNOWN_MS: Final = 600_000
KNOWN_GAPS: Final = 10
"""For how long, and for how many of its own gaps, a voice is heard before it is expected."""

_HOUR_MS: Final = 3_600_000
_HOURS: Final = 24


@dataclass(slots=True)
class Voice:
    """What is known of one who speaks; times are of one clock, in milliseconds.

    Attributes
    ----------
    first_at, heard_at
        When it was heard first and last.
    gaps
        How many silences were learned.
    hours
        By hour, the two longest silences that ended in it.
    usual_ms
        The second longest silence of the last 24 hours.
    is_expected
        True once its silences are known well enough.
    is_silent
        True while it has been silent for too long.
    is_alone
        False while it is one of many silent ones.
    is_fresh
        True while nobody knows when it spoke last: the next gap is no silence.
    """

    first_at: int
    heard_at: int
    gaps: int = 0
    hours: dict[int, tuple[int, int]] = field(default_factory=dict)
    usual_ms: int = 0
    is_expected: bool = False
    is_silent: bool = False
    is_alone: bool = True
    is_fresh: bool = True

    def speak(self, at: int) -> None:
        """Learn the silence that ends here."""
        gap = at - self.heard_at
        self.heard_at = at
        self.is_silent = False
        if self.is_fresh:
            self.is_fresh = False
            return
        self.gaps += 1
        hour = at // _HOUR_MS
        longest, second = self.hours.get(hour, (0, 0))
        if gap > second or hour not in self.hours:
            self.hours[hour] = (max(gap, longest), min(max(gap, second), longest))
            self._sum_up(hour)
        if not self.is_expected and self.gaps >= KNOWN_GAPS:
            longest = max(pair[0] for pair in self.hours.values())
            self.is_expected = at - self.first_at >= max(KNOWN_MS, KNOWN_GAPS * longest)

    def state(self, at: int) -> dict[str, Any]:
        """Return what was learned as plain values, relative to a moment."""
        return {
            "known_ms": at - self.first_at,
            "gaps": self.gaps,
            "hours": [(at // _HOUR_MS - hour, *pair) for hour, pair in self.hours.items()],
            "is_expected": self.is_expected,
            "silent_ms": at - self.heard_at if self.is_silent else None,
            "is_alone": self.is_alone,
        }

    @classmethod
    def restored(cls, state: dict[str, Any], at: int) -> Voice:
        """Return a voice as it was, its silence counted from this moment on.

        Raises
        ------
        LookupError, TypeError, ValueError
            If the state is not one of a voice.
        """
        hour = at // _HOUR_MS
        voice = cls(
            first_at=at - int(state["known_ms"]),
            heard_at=at - int(state["silent_ms"] or 0),
            gaps=int(state["gaps"]),
            hours={hour - int(ago): (int(one), int(two)) for ago, one, two in state["hours"]},
            is_expected=bool(state["is_expected"]),
            is_silent=state["silent_ms"] is not None,
            is_alone=bool(state["is_alone"]),
        )
        if voice.hours:
            voice._sum_up(hour)
        return voice

    def _sum_up(self, hour: int) -> None:
        for old in [each for each in self.hours if each <= hour - _HOURS]:
            del self.hours[old]
        gaps = sorted(gap for pair in self.hours.values() for gap in pair)
        self.usual_ms = gaps[-2] if gaps else 0
