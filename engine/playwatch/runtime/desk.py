"""The desk: what a person may do to incidents and silences.

One desk works inside a running engine, another on a store that no engine
holds; a third, in `playwatch.web.client`, asks an engine over HTTP. The
commands do not see the difference.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from playwatch.core.audit import AuditEntry
from playwatch.core.decisions import Remark, RemarkKind, decision_of
from playwatch.core.deliveries import Changes
from playwatch.core.incidents import Change, Incident, Status
from playwatch.core.routing import Told, unwanted_ends
from playwatch.core.silences import Silence
from playwatch.runtime.acting import signed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.pipeline import Pipeline, Step
    from playwatch.core.routing import Route
    from playwatch.core.rules import Matcher
    from playwatch.core.samples import Instant
    from playwatch.ports import Clock, Store
    from playwatch.runtime.evaluate import Evaluator


@dataclass(frozen=True, slots=True)
class SilenceRequest:
    """A silence that somebody wants; ``starts_at`` None is now."""

    matchers: tuple[Matcher, ...]
    ends_at: int
    author: str
    comment: str = ""
    starts_at: int | None = None


class Desk(Protocol):
    """What a person may do; None in an answer means that there is no such thing."""

    async def silence(self, request: SilenceRequest) -> Silence:
        """Begin a silence."""

    async def expire(self, silence_id: str, author: str = "") -> Silence | None:
        """End a silence now."""

    async def silences(self, *, with_ended: bool = False) -> list[Silence]:
        """Return the silences in force and to come, or all that ever were."""

    async def remark(
        self, incident_id: str, kind: RemarkKind, author: str, text: str
    ) -> Remark | None:
        """Acknowledge an incident or add a note to it."""

    async def resolve(self, incident_id: str, author: str) -> str | None:
        """Close an open incident by hand; return how it stands then, in words."""


class StoreDesk:
    """Works straight on a store, for when no engine holds it.

    Parameters
    ----------
    routes
        Which channels are configured; those that want no resolves get none.
    """

    def __init__(self, store: Store, clock: Clock, routes: Iterable[Route] = ()) -> None:
        self._store = store
        self._clock = clock
        self._unwanted = unwanted_ends(routes)

    async def silence(self, request: SilenceRequest) -> Silence:
        """Store a silence; an engine reads it when it starts."""
        now_at = self._clock.wall_ms()
        starts_at = now_at if request.starts_at is None else request.starts_at
        silence = Silence(
            id=secrets.token_hex(4),
            matchers=request.matchers,
            starts_at=starts_at,
            ends_at=request.ends_at,
            author=request.author,
            comment=request.comment,
            created_at=now_at,
        )
        after = {"ends_at": silence.ends_at, "comment": silence.comment}
        entry = self._entry(request.author, "silence begun", silence.id, after)
        await self._store.add_silence(silence, entry)
        return silence

    async def expire(self, silence_id: str, author: str = "") -> Silence | None:
        """End a silence now."""
        now_at = self._clock.wall_ms()
        entry = self._entry(author, "silence ended", silence_id, {"ends_at": now_at})
        return await self._store.end_silence(silence_id, now_at, entry)

    async def silences(self, *, with_ended: bool = False) -> list[Silence]:
        """Return the silences in force and to come, or all that ever were."""
        return await self._store.silences(0 if with_ended else self._clock.wall_ms())

    async def remark(
        self, incident_id: str, kind: RemarkKind, author: str, text: str
    ) -> Remark | None:
        """Acknowledge an incident or add a note to it."""
        if await self._store.incident(incident_id) is None:
            return None
        remark = Remark(incident_id, self._clock.wall_ms(), kind, author, text)
        what = "incident acknowledged" if kind is RemarkKind.ACKNOWLEDGED else "incident noted"
        entry = self._entry(author, what, incident_id, {"text": text})
        await self._store.add_remark(remark, entry)
        return remark

    async def resolve(self, incident_id: str, author: str) -> str | None:
        """Close an open incident; its resolves are sent when an engine starts."""
        story = await self._store.incident(incident_id)
        if story is None or not story.incident.is_open:
            return None if story is None else _standing(story.incident)
        at = max(self._clock.wall_ms(), story.incident.opened_at)
        closed = story.incident.ended(
            Status.CLOSED, reason=by_hand(author), resolved_at=at, ended_at=at, value=None
        )
        resolves = Told(story.deliveries).resolves(closed, at, unwanted=self._unwanted)
        decision = decision_of(Change.CLOSED, closed, at)
        entry = self._ended(author, incident_id)
        await self._store.commit(Changes([closed], resolves, [decision], [entry]))
        return _standing(closed)

    def _entry(self, author: str, what: str, subject: str, after: dict[str, object]) -> AuditEntry:
        return AuditEntry(self._clock.wall_ms(), signed(author), what, subject, after=after)

    def _ended(self, author: str, incident_id: str) -> AuditEntry:
        return AuditEntry(
            self._clock.wall_ms(),
            signed(author),
            "incident resolved",
            incident_id,
            {"status": Status.OPEN.value},
            {"status": Status.CLOSED.value},
        )


class EngineDesk(StoreDesk):
    """Works inside a running engine, between two steps of its evaluator."""

    def __init__(self, store: Store, clock: Clock, evaluator: Evaluator) -> None:
        super().__init__(store, clock)
        self._evaluator = evaluator

    async def silence(self, request: SilenceRequest) -> Silence:
        """Begin a silence, in force before the next sample is judged."""
        silence = await super().silence(request)
        await self._evaluator.change(_go_on)
        return silence

    async def expire(self, silence_id: str, author: str = "") -> Silence | None:
        """End a silence; what it kept back is told at once."""
        silence = await super().expire(silence_id, author)
        await self._evaluator.change(_go_on)
        return silence

    async def resolve(self, incident_id: str, author: str) -> str | None:
        """Close an open incident; its group starts anew."""
        entry = self._ended(author, incident_id)

        def close(pipeline: Pipeline, now: Instant) -> Step:
            step = pipeline.resolve(incident_id, by_hand(author), now)
            changes = replace(step.changes, audit=[entry] if step.changes else [])
            return replace(step, changes=changes)

        await self._evaluator.change(close)
        story = await self._store.incident(incident_id)
        return None if story is None else _standing(story.incident)


def by_hand(author: str) -> str:
    """Return why an incident ended that somebody closed."""
    return f"resolved by hand by {author}"


def _standing(incident: Incident) -> str:
    return f"{incident.status.value}: {incident.reason}"


def _go_on(pipeline: Pipeline, now: Instant) -> Step:
    return pipeline.tick(now)
