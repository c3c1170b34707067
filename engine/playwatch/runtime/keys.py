"""Which keys the channels of a configuration have, and channels for those that are gone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from playwatch.channels import fingerprint, open_channel
from playwatch.channels.pagerduty import ENDPOINTS
from playwatch.config.channels import PagerDutySettings
from playwatch.config.former import former_settings, other_secrets
from playwatch.store.keyring import HeldKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from playwatch.channels.guard import AddressGuard
    from playwatch.config.channels import ChannelSettings
    from playwatch.ports import Channel, Clock
    from playwatch.store.keyring import KeyRing

log = logging.getLogger("playwatch.delivery")


def held_key(channel: ChannelSettings, *, is_guarded: bool = False) -> HeldKey:
    """Return the key of a channel and what belongs to it, for the ring."""
    return HeldKey(
        fingerprint(channel.key),
        channel.key,
        channel.name,
        channel.service,
        _url(channel),
        other_secrets(channel),
        is_guarded,
    )


def configured_keys(
    channels: Iterable[ChannelSettings], guarded: Collection[str] = ()
) -> list[HeldKey]:
    """Return the keys of today, for the ring.

    Parameters
    ----------
    guarded
        Names of channels that were added at run time.
    """
    return [held_key(each, is_guarded=each.name in guarded) for each in channels if each.key]


def former_channels(
    ring: KeyRing,
    present: Collection[str],
    clock: Clock,
    page_url: str = "",
    guard: AddressGuard | None = None,
) -> list[tuple[Channel, int | None]]:
    """Return a channel for each that is gone and still has something to send.

    With each comes how many messages its service takes in any minute, None for
    any number: what the channel itself had set is gone with it.

    Parameters
    ----------
    present
        Names of the channels that there are.
    guard
        Judges where those may send to that were added at run time.
    """
    found = []
    for held in ring.orphans(present):
        settings = former_settings(held.service, held.channel, held.key, held.url, held.others)
        if settings is None:
            log.error(
                "channel %s is gone and cannot be rebuilt: what it has to send waits until it is"
                " configured again",
                held.channel,
            )
            continue
        log.warning("channel %s is gone; what it has to send still goes out", held.channel)
        found.append((_opened(settings, held, ring, clock, page_url, guard), settings.rate_limit))
    return found


def moved_channels(
    ring: KeyRing,
    present: Iterable[ChannelSettings],
    clock: Clock,
    page_url: str = "",
    guard: AddressGuard | None = None,
) -> list[Channel]:
    """Return a channel for each former key of one that sends somewhere else today.

    PagerDuty knows an incident only where it was opened: under its key, and in
    its region. Parameters as for `former_channels`, but for settings in the
    place of names.
    """
    today = {one.name: (one.service, _url(one)) for one in present}
    found = []
    for held in ring.held:
        if today.get(held.channel, (held.service, held.url)) == (held.service, held.url):
            continue
        settings = former_settings(held.service, held.channel, held.key, held.url, held.others)
        if settings is not None:
            found.append(_opened(settings, held, ring, clock, page_url, guard))
    return found


def _opened(
    settings: ChannelSettings,
    held: HeldKey,
    ring: KeyRing,
    clock: Clock,
    page_url: str,
    guard: AddressGuard | None,
) -> Channel:
    return open_channel(
        settings,
        clock=clock,
        page_url=page_url,
        key_of=ring.key_of,
        guard=guard if held.is_guarded else None,
    )


def _url(settings: ChannelSettings) -> str:
    if isinstance(settings, PagerDutySettings):
        return settings.url or ENDPOINTS[settings.region]
    return ""
