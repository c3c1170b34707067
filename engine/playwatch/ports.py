"""What the engine asks of the world: sources, stores, channels, a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from playwatch.core.deliveries import Attempt, Changes, Delivery
    from playwatch.core.incidents import Incident, Status


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
    """

    messages: Sequence[Message]
    acknowledge: Callable[[], None]


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
        ``sent``, ``retry``, ``rejected`` or ``misconfigured``.
    detail
        The receiver's answer or the failure, in words, without any secret.
    """

    delivery: Delivery
    at: int
    duration_ms: float
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents to list, newest first."""

    status: Status | None = None
    rule: str | None = None
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class IncidentStory:
    """An incident with everything that was sent about it."""

    incident: Incident
    deliveries: Sequence[Delivery] = ()
    attempts: Sequence[AttemptRecord] = field(default=())


class Store(Protocol):
    """Keeps incidents, deliveries and snapshots over restarts.

    Every method may raise `playwatch.errors.StoreError`.
    """

    async def installation(self) -> str:
        """Return the random name made when the store was created."""

    async def commit(self, changes: Changes) -> None:
        """Store incidents and deliveries in one durable transaction."""

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

    async def open_incidents(self) -> list[Incident]:
        """Return every incident that is open."""

    async def routed(self, incident_ids: Sequence[str]) -> list[Delivery]:
        """Return the trigger deliveries of these incidents, whatever their status."""

    async def incidents(self, query: IncidentQuery) -> list[Incident]:
        """Return the incidents that a query asks for, newest first."""

    async def incident(self, incident_id: str) -> IncidentStory | None:
        """Return one incident with its deliveries and attempts; None when unknown."""

    async def save_snapshot(self, parts: dict[str, bytes], taken_at: int) -> None:
        """Replace the snapshot: named parts of the pipeline's state."""

    async def load_snapshot(self) -> tuple[dict[str, bytes], int] | None:
        """Return the newest snapshot and its wall-clock time; None without one."""

    async def close(self) -> None:
        """Close the store and give up its lock."""
