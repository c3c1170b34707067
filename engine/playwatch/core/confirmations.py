"""Resolves that are sent again, because a copy of the trigger may still be on its way.

A trigger that got no answer may sit in some proxy. It is tried again and
accepted, the incident ends, the resolve is accepted; and then the first copy
arrives and opens an incident that nobody will ever end. A resolve for a key
under which nothing is open is dropped, so to send it again costs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from playwatch.core.deliveries import DeliveryStatus

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery

AFTER_MS: Final = (60_000, 600_000)
"""How long after its acceptance a resolve is sent again."""

AMBIGUOUS: Final = "ambiguous"
"""The outcome of an attempt that the receiver may have accepted all the same."""


def is_confirmation(delivery: Delivery) -> bool:
    """Return whether a delivery only repeats a resolve."""
    return delivery.id.rpartition("/")[2].startswith("confirm-")


def confirmations(resolve: Delivery, accepted_at: int) -> list[Delivery]:
    """Return the repetitions of a resolve that was accepted at a moment."""
    return [
        replace(
            resolve,
            id=f"{resolve.id}/confirm-{number}",
            attempts=0,
            not_before_at=accepted_at + wait_ms,
            status=DeliveryStatus.PENDING,
            reason="",
        )
        for number, wait_ms in enumerate(AFTER_MS, start=1)
    ]
