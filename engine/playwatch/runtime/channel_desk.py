"""The channel desk: channels are looked at, added, disabled, removed and tried.

This one works on a store that no engine holds. One in `engine_channels` works
inside a running engine, and one in `playwatch.web.channel_client` asks it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from playwatch.channels import fingerprint
from playwatch.config.channel_body import channel_settings, masked_settings
from playwatch.core.audit import AuditEntry
from playwatch.core.deliveries import Changes
from playwatch.core.routing import Told
from playwatch.errors import ConflictError, InvalidError
from playwatch.ports import StoredChannel
from playwatch.runtime.channel_targets import mistakes_of_target
from playwatch.runtime.channel_views import Condition, channel_view
from playwatch.runtime.keys import held_key
from playwatch.runtime.rehearsal import tried

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwatch.config.channels import ChannelSettings
    from playwatch.config.schema import Settings
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.ports import Channel, Clock, Store
    from playwatch.runtime.roster import Member, Roster

Document = dict[str, Any]


class ChannelDesk(Protocol):
    """What a person may do with channels; None in an answer means that there is none."""

    async def channels(self) -> list[Document]:
        """Return every channel: what it takes, where it comes from, and how it is."""

    async def channel(self, name: str) -> Document | None:
        """Return one channel."""

    async def add(self, body: Mapping[str, object], author: str) -> Document:
        """Add a channel, described as in a configuration file; it takes incidents at once."""

    async def enable(
        self, name: str, author: str, *, is_enabled: bool, resolves: bool
    ) -> Document | None:
        """Let a channel that was added take incidents again, or no new ones."""

    async def remove(self, name: str, author: str, *, resolves: bool) -> Document | None:
        """Remove a channel that was added; say which incidents are open there."""

    async def test(self, name: str) -> list[Document] | None:
        """Send a marked trigger and its resolve; return what the service answered."""


class StoreChannels:
    """Works straight on a store, for when no engine holds it.

    Parameters
    ----------
    settings
        The configuration, as the file has it.
    open_channel
        Makes a channel of its settings.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        roster: Roster,
        settings: Settings,
        open_channel: Callable[[ChannelSettings], Channel],
    ) -> None:
        self._store = store
        self._clock = clock
        self._roster = roster
        self._written = settings
        self._open_channel = open_channel
        self._turn = asyncio.Lock()

    async def channels(self) -> list[Document]:
        """Return every channel, those of the configuration first."""
        await self._refresh()
        told = await self._told()
        return [await self._view(member, told) for member in self._roster.members]

    async def channel(self, name: str) -> Document | None:
        """Return one channel."""
        await self._refresh()
        member = self._roster.find(name)
        return None if member is None else await self._view(member, await self._told())

    async def add(self, body: Mapping[str, object], author: str) -> Document:
        """Add a channel.

        Raises
        ------
        InvalidError
            With every mistake in it.
        ConflictError
            If the name is taken.
        """
        one = channel_settings(body, self._settings().catalogue())
        if mistakes := await mistakes_of_target(one, self._roster.guard):
            raise InvalidError(mistakes)
        async with self._turn:
            await self._refresh()
            if (member := self._roster.find(one.name)) is not None:
                raise _taken(member)
            stored = StoredChannel(
                name=one.name,
                settings=masked_settings(one),
                key_fingerprint=fingerprint(one.key),
                is_enabled=True,
                added_at=self._clock.wall_ms(),
                added_by=author,
            )
            async with self._roster.turn:
                if one.key:
                    self._roster.ring.hold(held_key(one, is_guarded=True))
                entry = self._entry(author, "channel added", one.name, None, stored)
                await self._store.put_channel(stored, entry)
            await self._refresh(is_changed=True)
        return await self._there(one.name)

    async def enable(
        self, name: str, author: str, *, is_enabled: bool, resolves: bool
    ) -> Document | None:
        """Enable a channel that was added, or disable it.

        Parameters
        ----------
        resolves
            When it is disabled: end there at once what is open. Else each end
            is told when it comes.

        Raises
        ------
        ConflictError
            If the configuration provisions it.
        """
        async with self._turn:
            await self._refresh()
            stored = self._stored(name, "disabled" if not is_enabled else "enabled")
            if stored is None:
                return None
            if stored.is_enabled != is_enabled:
                ended = await self._withdraw(name) if resolves and not is_enabled else []
                after = replace(stored, is_enabled=is_enabled)
                what = "channel enabled" if is_enabled else "channel disabled"
                entry = self._entry(author, what, name, stored, after, resolved=ended)
                await self._store.put_channel(after, entry)
                await self._refresh(is_changed=True)
        return await self._there(name)

    async def remove(self, name: str, author: str, *, resolves: bool) -> Document | None:
        """Remove a channel that was added.

        Parameters
        ----------
        resolves
            End there at once what is open. Else each end is told when it comes.

        Raises
        ------
        ConflictError
            If the configuration provisions it.
        """
        async with self._turn:
            await self._refresh()
            stored = self._stored(name, "removed")
            if stored is None:
                return None
            told = (await self._told()).get(name, [])
            ended = await self._withdraw(name) if resolves else []
            left = [one.id for one in told if one.id not in ended]
            facts = {"resolved": ended, "left": left}
            entry = self._entry(author, "channel removed", name, stored, None, **facts)
            await self._store.drop_channel(name, entry)
            await self._refresh(is_changed=True)
        return {"name": name, **facts}

    async def test(self, name: str) -> list[Document] | None:
        """Send a marked trigger and its resolve; return what the service answered.

        Raises
        ------
        ConflictError
            If its settings or its key cannot be read any more.
        """
        await self._refresh()
        member = self._roster.find(name)
        if member is None:
            return None
        if member.settings is None:
            message = f"channel {name} cannot be tried: {member.trouble}"
            raise ConflictError(message)
        channel = self._open_channel(member.settings)
        try:
            return await tried(channel)
        finally:
            await channel.close()

    def _settings(self) -> Settings:
        return self._written

    async def _refresh(self, *, is_changed: bool = False) -> None:
        """Look at the store anew; tell an engine what has changed."""
        del is_changed
        await self._roster.complete(self._written)

    async def _withdraw(self, name: str) -> list[str]:
        """End every open incident at one channel; return their ids."""
        now_at = self._clock.wall_ms()
        deliveries: list[Delivery] = []
        for incident, told in await self._open():
            deliveries += told.withdraw(incident, name, now_at)
        if self._sends_resolves(name):
            await self._store.commit(Changes(deliveries=deliveries))
            return [each.incident_id for each in deliveries]
        return []

    def _condition(self, _name: str) -> Condition:
        return Condition()

    def _sends_resolves(self, name: str) -> bool:
        member = self._roster.find(name)
        return member is None or member.settings is None or member.settings.send_resolved

    def _stored(self, name: str, verb: str) -> StoredChannel | None:
        """Return a channel that was added; refuse one of the configuration."""
        member = self._roster.find(name)
        if member is not None and member.stored is None:
            message = f"channel {name} is provisioned by the configuration file"
            hint = f"it is {verb} there: change the file and reload"
            raise ConflictError(message, hint)
        return None if member is None else member.stored

    async def _there(self, name: str) -> Document:
        member = self._roster.find(name)
        if member is None:
            message = f"channel {name} was removed meanwhile"
            raise ConflictError(message)
        return await self._view(member, await self._told())

    async def _view(self, member: Member, told: Mapping[str, list[Incident]]) -> Document:
        waiting = await self._store.pending(member.name)
        oldest_at = min(waiting.values(), default=None)
        condition = replace(
            self._condition(member.name),
            open_incidents=[one.id for one in told.get(member.name, ())],
            pending=len(waiting),
            oldest_pending_at=oldest_at,
        )
        return channel_view(member, condition)

    async def _told(self) -> dict[str, list[Incident]]:
        """Return, by channel, the open incidents that it was told of."""
        found: dict[str, list[Incident]] = {}
        for incident, told in await self._open():
            for channel in told.channels:
                found.setdefault(channel, []).append(incident)
        return found

    async def _open(self) -> list[tuple[Incident, Told]]:
        incidents = await self._store.open_incidents()
        deliveries: dict[str, list[Delivery]] = {one.id: [] for one in incidents}
        for delivery in await self._store.routed(list(deliveries)):
            deliveries[delivery.incident_id].append(delivery)
        return [(one, Told(deliveries[one.id])) for one in incidents]

    def _entry(
        self,
        author: str,
        what: str,
        name: str,
        before: StoredChannel | None,
        after: StoredChannel | None,
        **facts: object,
    ) -> AuditEntry:
        was, now = (
            {} if one is None else {**one.settings, "enabled": one.is_enabled}
            for one in (before, after)
        )
        return AuditEntry(self._clock.wall_ms(), author, what, name, was, {**now, **facts})


def _taken(member: Member) -> ConflictError:
    if member.stored is None:
        message = f"the configuration file provisions a channel {member.name}"
        return ConflictError(message, "give this one another name")
    message = f"there is a channel {member.name} already"
    return ConflictError(message, "remove it first, or give this one another name")
