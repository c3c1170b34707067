"""When a delivery is tried again, and when it is given up."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from playwatch.core.deliveries import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Misconfigured,
    Rejected,
    Sent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.core.deliveries import Retry

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
RATE_LIMIT_S: Final = 30.0
"""About how long to wait after the first 429 that does not say, at most `LONGEST_S` after more."""
MISCONFIGURED_S: Final = 60.0
"""How often a channel that waits for the operator is tried."""
GIVE_UP_MS: Final = 72 * 3_600_000
"""Age at which a delivery is given up; PagerDuty's own webhooks stop after 48 h."""


def after(delivery: Delivery, attempt: Attempt, now_at: int, draw: Callable[[], float]) -> Delivery:
    """Return a delivery as it stands after an attempt.

    What is refused is due at once in its least form; refused in that, it is dead.

    Parameters
    ----------
    now_at
        When the attempt ended, milliseconds.
    draw
        Returns a number in [0, 1): the jitter, so that many senders that
        failed together do not come back together.

    Notes
    -----
    Full jitter: the wait is uniform between nothing and a bound that doubles
    from `FIRST_S` to `LONGEST_S`. There is no limit on attempts, because a
    page that could not be sent for an hour is still a page; there is one on
    age, counted from the first attempt that failed after `GIVE_UP_MS`.
    """
    tried = partial(replace, delivery, attempts=delivery.attempts + 1)
    if isinstance(attempt, Sent):
        return tried(status=DeliveryStatus.SENT, reason="")
    if isinstance(attempt, Rejected):
        if delivery.is_shortened:
            return tried(status=DeliveryStatus.DEAD, reason=attempt.reason)
        return tried(is_shortened=True, not_before_at=now_at, reason=attempt.reason)
    if now_at - delivery.created_at > GIVE_UP_MS:
        reason = f"given up after {GIVE_UP_MS // 3_600_000} h: {attempt.reason}"
        return tried(status=DeliveryStatus.DEAD, reason=reason)
    wait_s = (
        MISCONFIGURED_S
        if isinstance(attempt, Misconfigured)
        else _wait_s(attempt, delivery.attempts, draw())
    )
    return tried(not_before_at=now_at + round(wait_s * 1000), reason=attempt.reason)


def _wait_s(attempt: Retry, failures: int, jitter: float) -> float:
    if attempt.after_s is not None:
        return attempt.after_s
    if attempt.is_rate_limit:
        # Limits slide over a minute: to wait for longer would only be late.
        return min(LONGEST_S, RATE_LIMIT_S * (1 + failures)) * (0.5 + jitter)
    return bound_s(failures) * jitter


def bound_s(failures: int) -> float:
    """Return the longest wait after one failure more than so many, in seconds."""
    bound: float = min(LONGEST_S, FIRST_S * 2.0 ** min(failures, 10))
    return bound
