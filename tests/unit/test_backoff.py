from __future__ import annotations

from dataclasses import replace

import pytest

from playwatch.core.backoff import GIVE_UP_MS, after
from playwatch.core.deliveries import (
    DeliveryStatus,
    Misconfigured,
    Rejected,
    Retry,
    Sent,
)
from tests.kit.stores import T0, a_delivery, an_incident

DELIVERY = a_delivery(an_incident())
HALF = 0.5


def wait_s(attempt: Retry | Misconfigured, attempts: int = 0, draw: float = HALF) -> float:
    """Return how long a delivery waits after one more attempt."""
    before = replace(DELIVERY, attempts=attempts)
    following = after(before, attempt, T0, lambda: draw)
    assert following.status is DeliveryStatus.PENDING
    assert following.attempts == attempts + 1
    assert following.reason == attempt.reason
    return (following.not_before_at - T0) / 1000


def test_an_accepted_delivery_is_sent() -> None:
    before = replace(DELIVERY, reason="no connection", attempts=3)

    following = after(before, Sent("202"), T0, lambda: HALF)

    assert following == replace(DELIVERY, status=DeliveryStatus.SENT, attempts=4)


def test_a_refused_delivery_is_due_at_once_in_its_least_form_and_then_dead() -> None:
    shortened = after(DELIVERY, Rejected("400 bad severity"), T0, lambda: HALF)

    assert shortened == replace(
        DELIVERY, is_shortened=True, not_before_at=T0, attempts=1, reason="400 bad severity"
    )
    tried = after(shortened, Retry("503"), T0, lambda: HALF)
    assert tried.is_shortened
    assert after(tried, Rejected("400 worse"), T0, lambda: HALF) == replace(
        tried, status=DeliveryStatus.DEAD, attempts=3, reason="400 worse"
    )


def test_the_bound_of_the_wait_doubles_from_a_second_to_a_minute() -> None:
    waits = [wait_s(Retry("500"), attempts) for attempts in range(9)]

    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(("draw", "expected"), [(0.0, 0.0), (0.25, 2.0), (0.999, 7.992)])
def test_the_wait_is_drawn_between_nothing_and_its_bound(draw: float, expected: float) -> None:
    assert wait_s(Retry("500"), 3, draw) == expected


def test_a_delivery_tried_for_days_still_has_a_wait_within_the_bound() -> None:
    assert wait_s(Retry("500"), 1_000_000) == 30


@pytest.mark.parametrize("is_rate_limit", [True, False])
def test_the_receivers_own_wish_is_followed_to_the_moment(*, is_rate_limit: bool) -> None:
    assert wait_s(Retry("429", 20.5, is_rate_limit=is_rate_limit), 7, 0.9) == 20.5


@pytest.mark.parametrize(("draw", "expected"), [(0.0, 15), (HALF, 30), (0.9, 42)])
def test_a_rate_limit_without_a_wish_waits_about_half_a_minute(
    draw: float, expected: float
) -> None:
    assert wait_s(Retry("429", is_rate_limit=True), 0, draw) == expected


def test_a_receiver_that_goes_on_refusing_is_asked_about_each_minute() -> None:
    refusal = Retry("429", is_rate_limit=True)

    assert [wait_s(refusal, attempts) for attempts in (0, 1, 2, 1_000_000)] == [30, 60, 60, 60]


def test_a_channel_that_waits_for_the_operator_is_tried_each_minute() -> None:
    assert wait_s(Misconfigured("401"), 0) == wait_s(Misconfigured("401"), 50, 0.0) == 60


@pytest.mark.parametrize(
    "attempt", [Retry("500"), Retry("429", 300.0, is_rate_limit=True), Misconfigured("401")]
)
def test_three_days_are_enough(attempt: Retry | Misconfigured) -> None:
    created_at = DELIVERY.created_at

    last = after(DELIVERY, attempt, created_at + GIVE_UP_MS, lambda: HALF)
    over = after(DELIVERY, attempt, created_at + GIVE_UP_MS + 1, lambda: HALF)

    assert last.status is DeliveryStatus.PENDING
    assert over.status is DeliveryStatus.DEAD
    assert over.reason == f"given up after 72 h: {attempt.reason}"


def test_an_old_delivery_that_arrives_at_last_is_sent() -> None:
    following = after(DELIVERY, Sent(), T0 + 2 * GIVE_UP_MS, lambda: HALF)

    assert following.status is DeliveryStatus.SENT


def test_a_delivery_decided_by_a_clock_ahead_of_ours_is_not_given_up() -> None:
    following = after(DELIVERY, Retry("500"), T0 - 10 * GIVE_UP_MS, lambda: HALF)

    assert following.status is DeliveryStatus.PENDING
