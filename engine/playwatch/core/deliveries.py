"""Deliveries: one message about one incident to one channel, and its attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.audit import AuditEntry
    from playwatch.core.decisions import Decision
    from playwatch.core.incidents import Incident


class Action(Enum):
    """What a channel is asked to do."""

    TRIGGER = "trigger"
    RESOLVE = "resolve"


class DeliveryStatus(Enum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    """Given up: the receiver refused it for good."""

    @property
    def is_final(self) -> bool:
        """True when nothing more is to be done for it."""
        return self is not DeliveryStatus.PENDING


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message about one incident to one channel.

    Attributes
    ----------
    id
        Derived from what it is, so that the same decision made again after a
        crash is the same delivery.
    incident
        The incident as it was when the message was decided. Every attempt
        sends these same facts.
    key_fingerprint
        Which key it was routed with; the key itself is never stored here.
    attempts
        How many attempts have ended.
    not_before_at
        Earliest time of the next attempt, milliseconds; 0 is at once.
    created_at
        When it was decided, wall clock, milliseconds.
    is_shortened
        True once the receiver refused the whole message: from then on it is
        sent in the least form that makes sense.
    """

    id: str
    incident: Incident
    channel: str
    key_fingerprint: str
    action: Action
    dedup_key: str
    created_at: int
    attempts: int = 0
    not_before_at: int = 0
    status: DeliveryStatus = DeliveryStatus.PENDING
    reason: str = ""
    is_shortened: bool = False

    @property
    def incident_id(self) -> str:
        """The incident it is about."""
        return self.incident.id


def urgency(delivery: Delivery) -> int:
    """Return where a delivery stands in line: the smaller, the sooner.

    Triggers before resolves; of each, the most severe first.
    """
    trails = 0 if delivery.action is Action.TRIGGER else 100
    return trails - delivery.incident.severity


WITHDRAWN: Final = "/withdrawn-"
"""Stands in the id of a resolve that ends an incident for one channel only."""


def is_withdrawal(delivery: Delivery) -> bool:
    """Return whether a delivery tells one channel that an incident concerns it no more."""
    return WITHDRAWN in delivery.id


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has it."""

    answer: str = ""


class Cause(Enum):
    """Why an attempt has to be made again."""

    RATE_LIMITED = "rate_limited"
    """The receiver wants fewer messages."""
    SERVER = "server_error"
    """The receiver is not well."""
    TIMEOUT = "timeout"
    """No answer came in time."""
    NETWORK = "network"
    """No connection, or one that was cut."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Retry:
    """It may work later.

    Attributes
    ----------
    reason
        What happened, in words, without any secret.
    after_s
        The receiver's own wish, or None for the usual backoff.
    is_rate_limit
        True when the receiver wants fewer messages.
    is_ambiguous
        True when the receiver may have accepted it: the request went out and
        no answer came back.
    cause
        What kind of failure it was, to count it.
    """

    reason: str
    after_s: float | None = None
    is_rate_limit: bool = False
    is_ambiguous: bool = False
    cause: Cause = field(default=Cause.OTHER, compare=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The receiver will never accept this form of these facts; other messages may pass."""

    reason: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """Every message of this channel will fail until the operator acts."""

    reason: str


Attempt = Sent | Retry | Rejected | Misconfigured
"""What a channel answers. No exception crosses that line."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What one step of the pipeline wants committed together.

    Attributes
    ----------
    incidents
        Whole incidents, new or changed; a later state replaces the stored one.
    deliveries
        New deliveries. One whose id is stored already is not stored again.
    decisions
        Why: added to the records of the incidents. One that is stored already
        (same incident, moment and word) is not stored again.
    audit
        Who asked for it, where a person did.
    """

    incidents: Sequence[Incident] = ()
    deliveries: Sequence[Delivery] = ()
    decisions: Sequence[Decision] = ()
    audit: Sequence[AuditEntry] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to commit."""
        return bool(self.incidents or self.deliveries or self.decisions or self.audit)
