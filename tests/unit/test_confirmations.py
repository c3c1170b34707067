from __future__ import annotations

from dataclasses import replace

import pytest

from playwatch.core.confirmations import confirmations, is_confirmation
from playwatch.core.deliveries import Action, DeliveryStatus
from tests.kit.stores import T0, a_delivery, an_incident

INCIDENT = an_incident()
TRIGGER = a_delivery(INCIDENT)
RESOLVE = replace(
    a_delivery(INCIDENT, Action.RESOLVE), attempts=3, status=DeliveryStatus.SENT, reason="x"
)


def test_a_resolve_is_repeated_after_a_minute_and_after_ten() -> None:
    first, second = confirmations(RESOLVE, T0)

    assert (first.not_before_at, second.not_before_at) == (T0 + 60_000, T0 + 600_000)
    assert first.id != second.id
    for each in (first, second):
        assert is_confirmation(each)
        assert (each.attempts, each.status, each.reason) == (0, DeliveryStatus.PENDING, "")
        assert (each.dedup_key, each.key_fingerprint) == (RESOLVE.dedup_key, "f00d")
        assert (each.incident, each.action) == (INCIDENT, Action.RESOLVE)


def test_decided_again_they_are_the_same() -> None:
    ids = [each.id for each in confirmations(RESOLVE, T0)]

    assert [each.id for each in confirmations(RESOLVE, T0 + 5)] == ids


@pytest.mark.parametrize("delivery", [TRIGGER, RESOLVE])
def test_what_was_decided_first_is_no_repetition(delivery: object) -> None:
    assert not is_confirmation(delivery)  # type: ignore[arg-type] # both are deliveries
