"""What the engine asks of the world: sources, stores, channels, a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from playwatch.core.audit import AuditEntry
    from playwatch.core.decisions import Decision, Remark
    from playwatch.core.deliveries import Attempt, Changes, Delivery, DeliveryStatus
    from playwatch.core.incidents import Incident
    from playwatch.core.listings import FoundIncidents, IncidentQuery, Notice
    from playwatch.core.samples import Instant
    from playwatch.core.silences import Silence


class Clock(Protocol):
    """Tells the time and waits; tests turn it by hand."""

    def wall_ms(self) -> int:
        """Return milliseconds since the epoch, UTC. May step."""

    def monotonic_ms(self) -> int:
        """Return milliseconds since some fixed moment. Never steps."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it arrived: its bytes and how to read them."""

    topic: str
    payload: bytes
    codec: str
    is_retained: bool = False


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What one read brought.

    Attributes
    ----------
    messages
        In the order of their arrival.
    acknowledge
        Called once their effect is in the windows and every transition they
        caused is committed. Safe to call when nothing waits for it.
    since_ms
        When the first of them arrived, on the steady clock; None if unknown.
    """

    messages: Sequence[Message]
    acknowledge: Callable[[], None]
    since_ms: int | None = None

    def portions(self, limit_bytes: int, large_bytes: int) -> Iterator[Arrivals]:
        """Split into parts of about so many bytes; only the last one acknowledges.

        Parameters
        ----------
        limit_bytes
            A part ends when it has reached so many.
        large_bytes
            It also ends with a message of so many.
        """
        start = size = 0
        for end, message in enumerate(self.messages, 1):
            size += len(message.payload)
            is_whole = size >= limit_bytes or len(message.payload) >= large_bytes
            if is_whole and end < len(self.messages):
                yield Arrivals(self.messages[start:end], _nothing)
                start, size = end, 0
        yield Arrivals(self.messages[start:], self.acknowledge) if start else self


def _nothing() -> None:
    """Acknowledge nothing yet."""


class Source(Protocol):
    """Where messages come from."""

    @property
    def name(self) -> str:
        """What the source is, for logs and metrics; never holds a password."""

    @property
    def is_subscribed(self) -> bool:
        """True while messages can arrive."""

    @property
    def trouble(self) -> str:
        """Why none can, in words; empty when they can or nothing was tried yet."""

    async def run(self) -> None:
        """Stay connected until cancelled; outlive every failure of the broker."""

    async def read(self) -> Arrivals:
        """Wait for the next messages and return all that one read brought."""


class Recorder(Protocol):
    """Writes down what an evaluator reads, so that it can be replayed."""

    def read(self, messages: Sequence[Message], now: Instant) -> None:
        """Keep what one read brought, and when."""

    def tick(self, now: Instant) -> None:
        """Keep that time was let pass, and when."""


class Channel(Protocol):
    """Where deliveries go."""

    @property
    def name(self) -> str:
        """The name of the channel in the configuration."""

    @property
    def key_fingerprint(self) -> str:
        """Which key new deliveries are routed with; empty without one."""

    async def send(self, delivery: Delivery) -> Attempt:
        """Try once to deliver; every failure is an `Attempt`, never an exception."""

    async def close(self) -> None:
        """Give back its connections."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt that has ended, and what follows for its delivery.

    Attributes
    ----------
    delivery
        As it stands after the attempt: status, attempts, next try, reason.
    at
        When the attempt ended, wall clock, milliseconds.
    duration_ms
        How long it took.
    outcome
        ``sent``, ``retry``, ``ambiguous`` (a retry of what the receiver may
        have), ``rejected`` or ``misconfigured``.
    detail
        The receiver's answer or the failure, in words, without any secret.
    """

    delivery: Delivery
    at: int
    duration_ms: float
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class IncidentStory:
    """An incident with everything that was decided, sent and said about it."""

    incident: Incident
    deliveries: Sequence[Delivery] = ()
    attempts: Sequence[AttemptRecord] = field(default=())
    decisions: Sequence[Decision] = ()
    remarks: Sequence[Remark] = ()


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel that was added at run time.

    Attributes
    ----------
    settings
        As in a configuration file, with every secret masked.
    key_fingerprint
        Finds its secrets in the key ring; empty for a service without any.
    is_enabled
        False while it is told nothing new.
    """

    name: str
    settings: Mapping[str, object]
    key_fingerprint: str
    is_enabled: bool
    added_at: int
    added_by: str


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries of the audit to list, newest first; of one subject, or of all."""

    subject: str | None = None
    limit: int = 100
    offset: int = 0


class Store(Protocol):
    """Keeps incidents, deliveries and snapshots over restarts.

    Every method may raise `playwatch.errors.StoreError`.
    """

    async def installation(self) -> str:
        """Return the random name made when the store was created."""

    async def turn(self) -> None:
        """Wait until a commit could begin at once: what else is decided by then goes with it."""

    async def commit(self, changes: Changes) -> bool:
        """Store all of it in one durable transaction; return whether every delivery was new."""

    async def record(self, records: Iterable[AttemptRecord]) -> None:
        """Store ended attempts and the new state of their deliveries, in one transaction."""

    async def due(self, channel: str, now_at: int, limit: int, busy: set[str]) -> list[Delivery]:
        """Return pending deliveries of a channel that may be sent now.

        Only the oldest pending delivery of each incident is returned, so a
        resolve never overtakes its trigger; those whose id is in ``busy`` are
        in flight and hold their incident back. Triggers come first, by
        severity, then by age.
        """

    async def next_due_at(self, channel: str, busy: set[str]) -> int | None:
        """Return when the channel has something to send next; None when never."""

    async def pending(self, channel: str) -> dict[str, int]:
        """Return the ids of what a channel has yet to send, and when each was decided."""

    async def attempted(self, channel: str, since: int) -> list[tuple[str, int]]:
        """Return the newest attempts of a channel that ended after a moment: key and end."""

    async def in_doubt(self, channel: str) -> set[str]:
        """Return the dedup keys of triggers that a channel's receiver may have unseen copies of.

        Only of incidents whose end it is yet to be told.
        """

    async def letters(
        self, statuses: Collection[DeliveryStatus], limit: int, offset: int = 0
    ) -> list[Delivery]:
        """Return deliveries that stand so, in the order they were decided."""

    async def replay(self, ids: Sequence[str], at: int, audit: AuditEntry | None = None) -> int:
        """Queue dead deliveries again, with what came after each; return how many were dead."""

    async def purge(self, ids: Sequence[str], audit: AuditEntry | None = None) -> int:
        """Remove dead deliveries; a trigger stays while its incident is open."""

    async def keys_in_use(self) -> dict[str, set[str]]:
        """Return, by channel, the fingerprints of keys that something still has to go out with."""

    async def open_incidents(self) -> list[Incident]:
        """Return every incident that is open."""

    async def routed(self, incident_ids: Sequence[str]) -> list[Delivery]:
        """Return the triggers of these incidents, whatever their status, and withdrawals."""

    async def decided(self, what: str) -> list[Decision]:
        """Return the decisions of one word about open incidents, in the order they were made."""

    async def withheld(self, incident_ids: Sequence[str]) -> set[str]:
        """Return which of these incidents have a trigger that a silence keeps back."""

    async def incidents(self, query: IncidentQuery) -> list[Incident]:
        """Return the incidents that a query asks for, in its order."""

    async def found(self, query: IncidentQuery) -> FoundIncidents:
        """Return the same, with how many there are beyond the limit."""

    async def notices(self, incident_ids: Sequence[str]) -> list[Notice]:
        """Return the messages about some incidents, in the order they were decided."""

    async def incident(self, incident_id: str) -> IncidentStory | None:
        """Return one incident with its whole record; None when unknown."""

    async def add_remark(self, remark: Remark, audit: AuditEntry | None = None) -> None:
        """Add what a person said to the record of a stored incident."""

    async def add_silence(self, silence: Silence, audit: AuditEntry | None = None) -> None:
        """Store a new silence."""

    async def end_silence(
        self, silence_id: str, at: int, audit: AuditEntry | None = None
    ) -> Silence | None:
        """Let a silence end at a moment unless it has; None when unknown."""

    async def silences(self, after: int) -> list[Silence]:
        """Return silences that end after a moment, in the order they were made."""

    async def channels(self) -> list[StoredChannel]:
        """Return the channels that were added at run time, in that order."""

    async def put_channel(self, channel: StoredChannel, entry: AuditEntry) -> None:
        """Store a channel, or its later state, and who wanted it."""

    async def drop_channel(self, name: str, entry: AuditEntry) -> None:
        """Remove a channel that was added at run time; what it is owed still goes out."""

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Return entries of the audit, the newest first; none younger than 90 days is missing."""

    async def add_audit(self, entry: AuditEntry) -> None:
        """Add an entry about something that is not in the store."""

    async def save_snapshot(self, parts: dict[str, bytes], taken_at: int) -> None:
        """Replace the snapshot: named parts of the pipeline's state."""

    async def load_snapshot(self) -> tuple[dict[str, bytes], int] | None:
        """Return the newest snapshot and its wall-clock time; None without one."""

    async def close(self) -> None:
        """Close the store and give up its lock."""
