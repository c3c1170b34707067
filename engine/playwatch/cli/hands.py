"""Finds out through whom channels and deliveries are changed: an engine, or the store itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.config.channels import ChannelSettings
    from playwatch.config.schema import Settings
    from playwatch.ports import Channel, Store
    from playwatch.runtime.channel_desk import ChannelDesk, StoreChannels
    from playwatch.runtime.letter_desk import LetterDesk
    from playwatch.runtime.roster import Roster


@dataclass(frozen=True, slots=True)
class Hands:
    """Who does what a command asks for."""

    channels: ChannelDesk
    letters: LetterDesk


@asynccontextmanager
async def hands_of(config: Path, url: str | None, token_file: Path | None) -> AsyncIterator[Hands]:
    """Yield the hands of the engine that holds the store, else our own.

    Raises
    ------
    PlaywatchError
        If neither can be had.
    """
    from playwatch.cli.desk import engine_or_store
    from playwatch.runtime.clock import SystemClock
    from playwatch.runtime.letter_desk import StoreLetters
    from playwatch.store.sqlite import SqliteStore
    from playwatch.web.channel_client import RemoteChannels
    from playwatch.web.letter_client import RemoteLetters

    async with engine_or_store(config, url, token_file) as (settings, found):
        if isinstance(found, SqliteStore):
            yield Hands(channels_in(settings, found), StoreLetters(found, SystemClock()))
        else:
            yield Hands(RemoteChannels(found), RemoteLetters(found))


@asynccontextmanager
async def channels_to_read(
    config: Path, url: str | None, token_file: Path | None
) -> AsyncIterator[ChannelDesk]:
    """Yield a desk that is only asked what there is, engine up or down."""
    from playwatch.cli.settings import load
    from playwatch.store.memory import MemoryStore
    from playwatch.store.sqlite import SqliteStore

    if url is not None:
        async with hands_of(config, url, token_file) as hands:
            yield hands.channels
        return
    settings = load(config, need_secrets=False)
    if not settings.store.path.exists():  # no engine ever ran: the file is all there is
        yield channels_in(settings, MemoryStore())
        return
    store = await SqliteStore.open(settings.store.path, read_only=True)
    try:
        yield channels_in(settings, store)
    finally:
        await store.close()


@asynccontextmanager
async def channels_to_try(
    config: Path, url: str | None, token_file: Path | None
) -> AsyncIterator[ChannelDesk]:
    """Yield a desk that sends: that of a running engine, else our own.

    Notes
    -----
    An engine without a token cannot be asked to send. What it would send with
    can be read here, so it is sent from here.
    """
    from playwatch.cli.settings import load
    from playwatch.store.lock import is_locked
    from playwatch.store.memory import MemoryStore
    from playwatch.store.sqlite import SqliteStore

    settings = load(config, need_secrets=False)
    has_token = settings.web.token is not None or token_file is not None
    if url is not None or (has_token and is_locked(settings.store.path)):
        async with hands_of(config, url, token_file) as hands:
            yield hands.channels
        return
    settings = load(config)
    if not settings.store.path.exists():
        yield channels_in(settings, MemoryStore())
        return
    store = await SqliteStore.open(settings.store.path, read_only=True)
    try:
        yield channels_in(settings, store)
    finally:
        await store.close()


async def with_added_channels(settings: Settings) -> Settings:
    """Return settings with the channels that were added at run time, engine up or down.

    A store that cannot be read is told of, and adds none.
    """
    from playwatch.errors import StoreError
    from playwatch.store.sqlite import SqliteStore

    if not settings.store.path.exists():
        return settings
    try:
        store = await SqliteStore.open(settings.store.path, read_only=True)
    except StoreError as error:
        typer.echo(f"playwatch: without the channels added at run time: {error}", err=True)
        return settings
    try:
        return await roster_of(settings, store).complete(settings)
    finally:
        await store.close()


def channels_in(settings: Settings, store: Store) -> StoreChannels:
    """Return the desk of a store that no engine holds."""
    from playwatch.channels import open_channel
    from playwatch.runtime.channel_desk import StoreChannels
    from playwatch.runtime.clock import SystemClock

    clock, roster = SystemClock(), roster_of(settings, store)

    def opened(one: ChannelSettings) -> Channel:
        return open_channel(
            one,
            clock=clock,
            page_url=settings.web.page_url,
            key_of=roster.ring.key_of,
            guard=roster.guard_of(one.name),
        )

    return StoreChannels(store, clock, roster, settings, opened)


def roster_of(settings: Settings, store: Store) -> Roster:
    """Return the roster of a store, with its key ring."""
    from playwatch.channels.guard import AddressGuard
    from playwatch.runtime.roster import Roster
    from playwatch.store.keyring import KeyRing

    ring = KeyRing.open(settings.store.path)
    return Roster(store, ring, AddressGuard(settings.web.channel_hosts))
