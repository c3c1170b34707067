"""A circuit breaker: a receiver that is away is asked now and then, not by everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.core.backoff import bound_s

if TYPE_CHECKING:
    from collections.abc import Callable

THRESHOLD: Final = 5
"""Failures in a row after which a receiver counts as away."""
NEWS_MS: Final = 5_000
"""How long after a failed probe a new message may be the next one, at the soonest."""


class CircuitBreaker:
    """Lets one probe at a time pass once calls fail in a row, and all once one succeeds.

    Notes
    -----
    The wait for the next probe is drawn like that of a single message: between
    nothing and a bound that doubles to a minute. A thousand messages that wait
    so cost a receiver that is away no more requests than one. A new message
    need not wait: it makes the next probe due at once, or `NEWS_MS` after the
    last one.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._is_open = False
        self._is_probed = False
        self._failed_ms = 0
        self._probe_ms = 0

    @property
    def is_open(self) -> bool:
        """True while the receiver counts as away."""
        return self._is_open

    def opens_at(self, now_ms: int) -> int | None:
        """Return when the next call may begin; None when the probe under way tells."""
        if not self._is_open:
            return now_ms
        return None if self._is_probed else max(now_ms, self._probe_ms)

    def hurry(self) -> None:
        """Make a probe due as soon as a new message may ask for one."""
        self._probe_ms = min(self._probe_ms, self._failed_ms + NEWS_MS)

    def begin(self) -> bool:
        """Return whether the call that begins is a probe, and count it."""
        self._is_probed = self._is_open
        return self._is_open

    def succeed(self) -> None:
        """Close: the receiver answers."""
        self._failures = 0
        self._is_open = self._is_probed = False

    def fail(self, now_ms: int, draw: Callable[[], float], *, is_probe: bool) -> None:
        """Count a call that failed for a reason that may pass.

        Parameters
        ----------
        now_ms
            When it ended.
        draw
            Returns a number in [0, 1): the jitter.
        is_probe
            What `begin` said of it. While open, a failure of a call that began
            before tells nothing new.
        """
        if self._is_open and not is_probe:
            return
        self._failures += 1
        self._is_probed = False
        if self._failures < THRESHOLD:
            return
        self._is_open = True
        self._failed_ms = now_ms
        self._probe_ms = now_ms + round(1000 * bound_s(self._failures - 1) * draw())
