"""The roster: every channel there is, configured or added at run time.

What the configuration names is its own; a channel of that name in the store is
set aside. A channel that was added lives in the store with its secrets masked,
and they rest in the key ring beside it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.config.channel_body import restored_settings
from playwatch.errors import InvalidError, StoreError
from playwatch.runtime.keys import configured_keys

if TYPE_CHECKING:
    from playwatch.channels.guard import AddressGuard
    from playwatch.config.channels import ChannelSettings
    from playwatch.config.schema import Settings
    from playwatch.core.metrics import Catalogue
    from playwatch.ports import Clock, Store, StoredChannel
    from playwatch.store.keyring import KeyRing

_TIDY_S: Final = 60.0

log = logging.getLogger("playwatch.channels")


@dataclass(frozen=True, slots=True)
class Member:
    """One channel of the roster.

    Attributes
    ----------
    settings
        None where they cannot be read any more.
    stored
        How it stands in the store; None for one of the configuration.
    trouble
        Why it is not in force although it should be; empty for no reason.
    """

    name: str
    settings: ChannelSettings | None
    stored: StoredChannel | None = None
    trouble: str = ""

    @property
    def is_in_force(self) -> bool:
        """Whether incidents are routed to it."""
        is_enabled = self.stored is None or self.stored.is_enabled
        return is_enabled and self.settings is not None and not self.trouble


class Roster:
    """Every channel there is; see `Roster.complete`.

    Parameters
    ----------
    ring
        Holds their keys.
    guard
        Judges where those may send to that were added at run time.
    """

    def __init__(self, store: Store, ring: KeyRing, guard: AddressGuard) -> None:
        self._store = store
        self.ring = ring
        self.guard = guard
        self.turn = asyncio.Lock()
        """Held while keys and channels change together."""
        self._members: dict[str, Member] = {}

    @property
    def members(self) -> list[Member]:
        """Every channel, those of the configuration first."""
        return list(self._members.values())

    @property
    def added(self) -> set[str]:
        """Names of the channels in force that were added at run time."""
        return {each.name for each in self.members if each.stored and each.is_in_force}

    @property
    def troubles(self) -> dict[str, str]:
        """Return, by channel that should be in force and is not, why."""
        return {each.name: each.trouble for each in self.members if each.trouble}

    def find(self, name: str) -> Member | None:
        """Return one channel; None when there is none of that name."""
        return self._members.get(name)

    def guard_of(self, name: str) -> AddressGuard | None:
        """Return what judges where a channel may send to; None for one of the configuration."""
        member = self._members.get(name)
        return self.guard if member is not None and member.stored is not None else None

    async def complete(self, settings: Settings) -> Settings:
        """Return a configuration with the channels in force that were added at run time.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        members = {one.name: Member(one.name, one) for one in settings.channels}
        catalogue = settings.catalogue()
        for stored in await self._store.channels():
            if stored.name in members:
                log.warning(
                    "channel %s was added at run time, and the configuration has one of that"
                    " name now: the added one is set aside",
                    stored.name,
                )
                continue
            member = members[stored.name] = self._restored(stored, catalogue)
            if member.trouble:
                log.error("channel %s is not in force: %s", stored.name, member.trouble)
        self._members = members
        added = [one.settings for one in self.members if one.stored and one.is_in_force]
        present = [one for one in added if one is not None]
        return settings.model_copy(update={"channels": (*settings.channels, *present)})

    async def renew_keys(self, settings: Settings) -> None:
        """Keep the keys of these channels, and those that something is still to be sent with.

        Raises
        ------
        StoreError
            If they cannot be kept.
        """
        async with self.turn:
            in_use = await self._store.keys_in_use()
            self.ring.renew(configured_keys(settings.channels, self.added), in_use)

    async def keep_tidy(self, clock: Clock) -> None:
        """Drop each key soon after its last resolve is in, until cancelled."""
        while True:
            await clock.sleep(_TIDY_S)
            present = [one.settings for one in self.members if one.settings and one.is_in_force]
            if len(self.ring.held) == sum(bool(one.key) for one in present):
                continue
            try:
                async with self.turn:
                    in_use = await self._store.keys_in_use()
                    self.ring.renew(configured_keys(present, self.added), in_use)
            except StoreError as error:
                log.error("keys that nothing needs any more are kept: %s", error)  # noqa: TRY400 - a sentence

    def _restored(self, stored: StoredChannel, catalogue: Catalogue) -> Member:
        held = self.ring.held_by(stored.name, stored.key_fingerprint)
        if held is None and stored.key_fingerprint:
            trouble = "its key is not in the key ring: remove it and add it again"
            return Member(stored.name, None, stored, trouble)
        key, others = ("", {}) if held is None else (held.key, held.others)
        try:
            settings = restored_settings(stored.settings, key, others, catalogue)
        except InvalidError as error:
            trouble = f"{'; '.join(map(str, error.mistakes))}: remove it and add it again"
            return Member(stored.name, None, stored, trouble)
        return Member(stored.name, settings, stored)
