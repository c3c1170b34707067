"""The twin in memory: the same answers, nothing kept. For tests and dry runs."""

from __future__ import annotations

import secrets
from collections import ChainMap
from dataclasses import replace
from typing import TYPE_CHECKING

from playwatch.core.decisions import TOLD, WITHHELD
from playwatch.core.deliveries import Action, DeliveryStatus, is_withdrawal, urgency
from playwatch.errors import StoreError
from playwatch.ports import AttemptRecord, IncidentStory
from playwatch.store.finding import MemoryFinding
from playwatch.store.ledger import MemoryLedger
from playwatch.store.letters import MemoryLetters
from playwatch.store.rows import after_attempt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from playwatch.core.audit import AuditEntry
    from playwatch.core.decisions import Decision, Remark
    from playwatch.core.deliveries import Changes, Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.silences import Silence
    from playwatch.ports import StoredChannel


class MemoryStore(MemoryLetters, MemoryFinding, MemoryLedger):
    """A `Store` in dicts.

    Parameters
    ----------
    installation
        The name of the installation; a random one by default. Runs that must
        repeat exactly give one.

    Notes
    -----
    Slow and obvious: `due` looks at every delivery. Closing it does nothing, so
    a test can stop an engine and start another on the same store.
    """

    def __init__(self, installation: str | None = None) -> None:
        self._installation = installation or secrets.token_hex(8)
        # In the order of insertion, which an update does not change.
        self._incidents: dict[str, Incident] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._attempts: list[AttemptRecord] = []
        self._decisions: dict[tuple[str, int, str], Decision] = {}
        self._remarks: list[Remark] = []
        self._silences: dict[str, Silence] = {}
        self._channels: dict[str, StoredChannel] = {}
        self._audit: list[AuditEntry] = []
        self._snapshot: tuple[dict[str, bytes], int] | None = None

    async def installation(self) -> str:
        """Return the name of the installation."""
        return self._installation

    async def turn(self) -> None:
        """Return at once: nothing here takes long."""

    async def commit(self, changes: Changes) -> bool:
        """Keep incidents, deliveries and decisions: all of them, or none.

        Returns
        -------
        bool
            True when every delivery was new.

        Raises
        ------
        StoreError
            If an incident has the id of another, or the rest is about an
            incident that is not kept.
        """
        new: dict[str, Incident] = {}
        for incident in changes.incidents:
            stored = self._incidents.get(incident.id) or new.setdefault(incident.id, incident)
            if _opening(stored) != _opening(incident):
                message = f"incident {incident.id} has the id of another one"
                raise StoreError(message)
        known = ChainMap(new, self._incidents)
        for delivery in changes.deliveries:
            if delivery.id not in self._deliveries and delivery.incident_id not in known:
                message = f"delivery {delivery.id} is about an incident that is not stored"
                raise StoreError(message)
        for decision in changes.decisions:
            if decision.incident_id not in known:
                message = f"a decision is about incident {decision.incident_id}, not stored"
                raise StoreError(message)
        before = len(self._deliveries)
        self._incidents.update((incident.id, incident) for incident in changes.incidents)
        for delivery in changes.deliveries:
            self._deliveries.setdefault(delivery.id, delivery)
        for one in changes.decisions:
            self._decisions.setdefault((one.incident_id, one.at, one.what), one)
        self._audit += changes.audit
        return len(self._deliveries) - before == len(changes.deliveries)

    async def record(self, records: Iterable[AttemptRecord]) -> None:
        """Keep ended attempts and the new state of their deliveries.

        Raises
        ------
        StoreError
            If a delivery is not kept here; then nothing is.
        """
        records = tuple(records)
        for record in records:
            if record.delivery.id not in self._deliveries:
                message = f"delivery {record.delivery.id} is not stored"
                raise StoreError(message)
        for record in records:
            after = record.delivery
            self._deliveries[after.id] = stored = after_attempt(
                self._deliveries[after.id],
                attempts=after.attempts,
                not_before_at=after.not_before_at,
                status=after.status,
                reason=after.reason,
                is_shortened=after.is_shortened,
            )
            self._attempts.append(
                AttemptRecord(stored, record.at, record.duration_ms, record.outcome, record.detail)
            )

    async def due(self, channel: str, now_at: int, limit: int, busy: set[str]) -> list[Delivery]:
        """Return pending deliveries of a channel that may be sent now."""
        ready = [head for head in self._heads(channel, busy) if head.not_before_at <= now_at]
        ready.sort(key=lambda delivery: (urgency(delivery), delivery.created_at))
        return ready[:limit]

    async def next_due_at(self, channel: str, busy: set[str]) -> int | None:
        """Return when the channel has something to send next; None when never."""
        return min((head.not_before_at for head in self._heads(channel, busy)), default=None)

    def _heads(self, channel: str, busy: set[str]) -> Iterator[Delivery]:
        """Iterate over the first pending delivery of each incident that can go on."""
        mine = [delivery for delivery in self._deliveries.values() if delivery.channel == channel]
        passed = {delivery.incident_id for delivery in mine if delivery.id in busy}
        for delivery in mine:
            if delivery.status is DeliveryStatus.PENDING and delivery.incident_id not in passed:
                passed.add(delivery.incident_id)
                yield delivery

    async def open_incidents(self) -> list[Incident]:
        """Return every incident that is open, the oldest first."""
        incidents = [incident for incident in self._incidents.values() if incident.is_open]
        return sorted(incidents, key=lambda incident: incident.opened_at)

    async def routed(self, incident_ids: Sequence[str]) -> list[Delivery]:
        """Return the triggers of these incidents, whatever their status, and withdrawals."""
        wanted = set(incident_ids)
        return [
            delivery
            for delivery in self._deliveries.values()
            if delivery.incident_id in wanted
            and (delivery.action is Action.TRIGGER or is_withdrawal(delivery))
        ]

    async def withheld(self, incident_ids: Sequence[str]) -> set[str]:
        """Return which of these incidents have a trigger that a silence keeps back."""
        last = {
            decision.incident_id: decision.what
            for decision in self._decisions.values()
            if decision.what in {WITHHELD, TOLD}
        }
        return {each for each in incident_ids if last.get(each) == WITHHELD}

    async def incident(self, incident_id: str) -> IncidentStory | None:
        """Return one incident with its whole record; None when unknown."""
        incident = self._incidents.get(incident_id)
        if incident is None:
            return None
        return IncidentStory(
            incident,
            [each for each in self._deliveries.values() if each.incident_id == incident_id],
            [each for each in self._attempts if each.delivery.incident_id == incident_id],
            [each for each in self._decisions.values() if each.incident_id == incident_id],
            [each for each in self._remarks if each.incident_id == incident_id],
        )

    async def add_remark(self, remark: Remark, audit: AuditEntry | None = None) -> None:
        """Add what a person said to the record of a kept incident.

        Raises
        ------
        StoreError
            If the incident is not kept here.
        """
        if remark.incident_id not in self._incidents:
            message = f"incident {remark.incident_id} is not stored"
            raise StoreError(message)
        self._remarks.append(remark)
        self._audit += [audit] if audit else []

    async def add_silence(self, silence: Silence, audit: AuditEntry | None = None) -> None:
        """Keep a new silence.

        Raises
        ------
        StoreError
            If its id is taken.
        """
        if silence.id in self._silences:
            message = f"silence {silence.id} is stored already"
            raise StoreError(message)
        self._silences[silence.id] = silence
        self._audit += [audit] if audit else []

    async def end_silence(
        self, silence_id: str, at: int, audit: AuditEntry | None = None
    ) -> Silence | None:
        """Let a silence end at a moment unless it has; None when unknown."""
        silence = self._silences.get(silence_id)
        if silence is not None and silence.ends_at > at:
            silence = replace(silence, ends_at=max(silence.starts_at, at))
            self._silences[silence_id] = silence
            self._audit += [audit] if audit else []
        return silence

    async def silences(self, after: int) -> list[Silence]:
        """Return silences that end after a moment, in the order they were made."""
        return [silence for silence in self._silences.values() if silence.ends_at > after]

    async def save_snapshot(self, parts: dict[str, bytes], taken_at: int) -> None:
        """Replace the snapshot: named parts of the pipeline's state."""
        self._snapshot = (dict(parts), taken_at)

    async def load_snapshot(self) -> tuple[dict[str, bytes], int] | None:
        """Return the newest snapshot and its wall-clock time; None without one."""
        if self._snapshot is None:
            return None
        parts, taken_at = self._snapshot
        return dict(parts), taken_at

    async def close(self) -> None:
        """Do nothing: there is nothing to give back."""


def _opening(incident: Incident) -> tuple[str, int]:
    return incident.incident_key, incident.opened_at
