"""The truth that PagerDuty must arrive at, whatever happened on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from playwatch.channels import fingerprint
from playwatch.core.deliveries import Action, Delivery
from playwatch.core.rules import Severity
from playwatch.demo.pages_book import Effect
from tests.delivering import message
from tests.kit.channels import KEY
from tests.kit.stores import an_incident

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.incidents import Incident
    from playwatch.demo.stand_in import StandIn


def incidents(count: int, severity: Severity = Severity.CRITICAL, name: str = "") -> list[Incident]:
    named = name or severity.word
    return [an_incident(f"{named}-{number}", severity=severity) for number in range(count)]


def routed(
    incident: Incident, action: Action = Action.TRIGGER, channel: str = "on-call", key: str = KEY
) -> Delivery:
    """Return a delivery that was routed with a key."""
    return replace(message(incident, action, channel), key_fingerprint=fingerprint(key))


def assert_true(server: StandIn, still_open: Iterable[Incident] = ()) -> None:
    """Assert the state at the receiver.

    Open is what is open and nothing else; every incident was opened exactly
    once; a resolve found its trigger, or repeated one that had; and no trigger
    was accepted after its resolve.
    """
    assert server.open_keys == {incident.dedup_key for incident in still_open}
    opened = Counter((page.key, page.dedup_key) for page in server.pages)
    assert set(opened.values()) <= {1}
    ended = set()
    for entry in server.journal:
        under = (entry.key, entry.dedup_key)
        if entry.effect is Effect.RESOLVED:
            ended.add(under)
        elif entry.effect is Effect.DROPPED:
            assert under in ended
        elif entry.action == "trigger" and entry.status == 202:
            assert under not in ended


def accepted(server: StandIn) -> list[str]:
    """Return what was accepted, in order: ``trigger critical-0``."""
    return [
        f"{entry.action} {entry.dedup_key.removeprefix('playwatch/')}"
        for entry in server.journal
        if entry.status == 202
    ]


def busiest_minute(server: StandIn, key: str = KEY) -> int:
    """Return the most requests with a key that the receiver saw in any 60 s."""
    moments = [one.monotonic_ms for one in server.journal if one.key.endswith(key[-4:])]
    return max(sum(at <= other < at + 60_000 for other in moments) for at in moments)
