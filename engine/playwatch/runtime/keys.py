"""Which keys the channels of a configuration have, and channels for those that are gone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from playwatch.channels import fingerprint, open_channel
from playwatch.channels.pagerduty import ENDPOINTS
from playwatch.config.channels import PagerDutySettings
from playwatch.config.former import former_settings
from playwatch.store.keyring import HeldKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from playwatch.config.channels import ChannelSettings
    from playwatch.ports import Channel, Clock
    from playwatch.store.keyring import KeyRing

log = logging.getLogger("playwatch.delivery")


def configured_keys(channels: Iterable[ChannelSettings]) -> list[HeldKey]:
    """Return the keys of today, for the ring."""
    return [
        HeldKey(fingerprint(each.key), each.key, each.name, each.service, _url(each))
        for each in channels
        if each.key
    ]


def former_channels(
    ring: KeyRing, present: Collection[str], clock: Clock, page_url: str = ""
) -> list[Channel]:
    """Return a channel for each that is gone and still has something to send."""
    found = []
    for held in ring.orphans(present):
        settings = former_settings(held.service, held.channel, held.key, held.url)
        if settings is None:
            log.error(
                "channel %s is gone and cannot be rebuilt: what it has to send waits until it is"
                " configured again",
                held.channel,
            )
        else:
            log.warning("channel %s is gone; what it has to send still goes out", held.channel)
            found.append(open_channel(settings, clock=clock, page_url=page_url, key_of=ring.key_of))
    return found


def _url(settings: ChannelSettings) -> str:
    if isinstance(settings, PagerDutySettings):
        return settings.url or ENDPOINTS[settings.region]
    return ""
