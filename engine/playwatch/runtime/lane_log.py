"""What a lane tells of its channel: metrics, log lines, complaints."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from playwatch.core.confirmations import AMBIGUOUS
from playwatch.core.deliveries import DeliveryStatus, Misconfigured, Rejected, Retry, Sent
from playwatch.core.rules import AlertType
from playwatch.ports import AttemptRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Clock
    from playwatch.runtime.traffic import Endpoint
    from playwatch.telemetry import Telemetry

_LEFT: Final = "left by an earlier process, which may have sent it"

log = logging.getLogger("playwatch.delivery")


def outcome_of(attempt: Attempt) -> str:
    """Return the word for how an attempt ended."""
    if isinstance(attempt, Retry) and attempt.is_ambiguous:
        return AMBIGUOUS
    return _OUTCOMES[type(attempt)]


def reason_of(attempt: Attempt) -> str:
    """Return the word for why an attempt was not accepted."""
    if isinstance(attempt, Retry):
        return attempt.cause.value
    return _REASONS[type(attempt)]


def records_of(
    attempt: Attempt,
    delivery: Delivery,
    following: Delivery,
    at: int,
    took_ms: float,
    *,
    is_doubted: bool,
) -> list[AttemptRecord]:
    """Return what is recorded of an attempt.

    Parameters
    ----------
    delivery, following
        As it stood before the attempt and stands after it.
    at, took_ms
        When it ended, and how long it took.
    is_doubted
        Whether an earlier process may have sent it too: that is recorded first.
    """
    detail = attempt.answer if isinstance(attempt, Sent) else attempt.reason
    record = AttemptRecord(following, at, took_ms, outcome_of(attempt), detail)
    if not is_doubted:
        return [record]
    return [AttemptRecord(delivery, at, 0.0, AMBIGUOUS, _LEFT), record]


class LaneLog:
    """Counts and tells what becomes of the deliveries of one channel.

    Attributes
    ----------
    announced
        How often something was said to be in the queue.
    misconfigured
        What the operator has to do; empty while nothing.
    given_up
        How many deliveries were given up since the start, without those about the engine.
    """

    def __init__(
        self, channel: str, clock: Clock, telemetry: Telemetry, endpoint: Endpoint
    ) -> None:
        self._name = channel
        self._clock = clock
        self._telemetry = telemetry
        self._endpoint = endpoint
        self._expected: dict[str, int] = {}
        self._told_away = False
        self.announced = 0
        self.misconfigured = ""
        self.given_up = 0
        self._dead = telemetry.deliveries_dead.labels(channel)
        self._sent = telemetry.notifications.labels(channel, _OUTCOMES[Sent])
        self._latency = telemetry.notification_latency.labels(channel)
        self._is_misconfigured = telemetry.channel_misconfigured.labels(channel)
        self._is_misconfigured.set(0)
        telemetry.deliveries_pending.labels(channel).set_function(lambda: len(self._expected))
        telemetry.delivery_oldest.labels(channel).set_function(self._oldest_s)
        telemetry.channel_away.labels(channel).set_function(lambda: bool(self.away))

    @property
    def away(self) -> str:
        """Why its receiver counts as away; empty while it does not."""
        if not self._endpoint.breaker.is_open:
            return ""
        return f"its receiver is away, asked now and then: {self._endpoint.trouble}"

    @property
    def waiting(self) -> str:
        """How many deliveries wait, and for how long; empty while none does."""
        if not self._expected:
            return ""
        count = len(self._expected)
        noun = "1 delivery waits" if count == 1 else f"{count} deliveries wait"
        return f"{noun}, the oldest for {self._oldest_s():.0f} s"

    def begin_anew(self, endpoint: Endpoint) -> None:
        """Forget what was said of the channel before it was replaced."""
        self._endpoint = endpoint
        self.misconfigured = ""
        self._is_misconfigured.set(0)

    def expect(self, deliveries: Iterable[Delivery]) -> None:
        """Count deliveries that are now in the queue."""
        # A resolve that is to be repeated later does not wait before that.
        self.expect_ids({each.id: max(each.created_at, each.not_before_at) for each in deliveries})

    def expects(self, delivery_id: str) -> bool:
        """Return whether a delivery is counted as queued."""
        return delivery_id in self._expected

    def expect_ids(self, created: Mapping[str, int]) -> None:
        """Count what is in the queue, by id, with the moment it was decided."""
        self.announced += 1
        self._expected.update(created)

    @property
    def queued(self) -> int:
        """How many deliveries wait or are in flight."""
        return len(self._expected)

    def settle(self, ids: Iterable[str]) -> None:
        """Count deliveries that a roll-up has told."""
        for each in ids:
            self._expected.pop(each, None)
            self._telemetry.notifications.labels(self._name, "rolled_up").inc()

    def forget(self) -> None:
        """Count nothing: the queue is empty."""
        self._expected.clear()

    def note(self, attempt: Attempt, following: Delivery, wait_s: float) -> None:
        """Count an attempt and log what it means for its delivery."""
        name = self._name
        if isinstance(attempt, Sent):
            self._sent.inc()
        else:
            self._telemetry.notifications.labels(name, outcome_of(attempt)).inc()
            reason = reason_of(attempt)
            self._telemetry.notification_failures.labels(name, reason).inc()
        if following.status is not DeliveryStatus.PENDING:
            self._expected.pop(following.id, None)
        self._judge(attempt)
        if isinstance(attempt, Sent):
            latency_s = (self._clock.wall_ms() - following.created_at) / 1000
            self._latency.observe(max(0.0, latency_s))
            if not log.isEnabledFor(logging.INFO):
                return
        facts = {"incident": following.incident_id, "channel": name}
        what = f"{following.action.value} of incident {following.incident_id} to {name}"
        if isinstance(attempt, Sent):
            log.info("%s accepted: %s", what, attempt.answer, extra=facts)
        elif following.status is DeliveryStatus.DEAD:
            # A message about the engine that nobody took is no news to send another about.
            self.given_up += following.incident.alert_type is not AlertType.ENGINE
            self._dead.inc()
            log.error("%s given up: %s", what, following.reason, extra=facts)
        elif isinstance(attempt, Rejected):
            log.warning("%s goes once more with less in it: %s", what, attempt.reason, extra=facts)
        elif isinstance(attempt, Retry):
            # Each doubling of the attempts: an outage of days must not fill a disk.
            is_told = following.attempts.bit_count() == 1
            level = logging.WARNING if is_told else logging.DEBUG
            said = "%s failed, next try in %.1f s: %s"
            log.log(level, said, what, wait_s, following.reason, extra=facts)

    def _judge(self, attempt: Attempt) -> None:
        """Keep what an attempt says of the channel."""
        if isinstance(attempt, Misconfigured):
            if attempt.reason != self.misconfigured:
                log.error("channel %s is misconfigured and waits: %s", self._name, attempt.reason)
            self.misconfigured = attempt.reason
            self._is_misconfigured.set(1)
        elif self.misconfigured and not isinstance(attempt, Retry):
            log.info("channel %s works again", self._name)
            self.misconfigured = ""
            self._is_misconfigured.set(0)
        if self._endpoint.breaker.is_open is not self._told_away:
            self._told_away = self._endpoint.breaker.is_open
            state = self.away or "its receiver answers again"
            log.warning("channel %s: %s", self._name, state)

    def _oldest_s(self) -> float:
        if not self._expected:
            return 0.0
        return max(0.0, (self._clock.wall_ms() - min(self._expected.values())) / 1000)


_OUTCOMES: Final = {
    Sent: "sent",
    Retry: "retry",
    Rejected: "rejected",
    Misconfigured: "misconfigured",
}
_REASONS: Final = {Rejected: "client_error", Misconfigured: "misconfigured"}
