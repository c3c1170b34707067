"""Notification channels: a service's name, and what opens it.

A new channel is one file beside `console` and one line in `SERVICES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwatch.channels.console import ConsoleChannel
from playwatch.channels.keys import fingerprint, last_four
from playwatch.channels.pagerduty import PagerDutyChannel
from playwatch.channels.severities import SeverityMapped
from playwatch.channels.slack import SlackChannel
from playwatch.channels.webhook import WebhookChannel

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.channels.guard import AddressGuard
    from playwatch.config.channels import ChannelSettings
    from playwatch.ports import Channel, Clock

__all__ = ["SERVICES", "Surroundings", "fingerprint", "last_four", "open_channel"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a channel may need of the engine around it.

    Attributes
    ----------
    clock
        Tells the time.
    page_url
        Where people see this engine's pages, for links back; empty for nowhere.
    key_of
        Tells a key that the channel had before by its fingerprint, or None.
    guard
        Judges where the channel may send to; None for anywhere.
    """

    clock: Clock
    page_url: str = ""
    key_of: Callable[[str], str | None] = lambda _: None
    guard: AddressGuard | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The same by name, for a channel that sends over HTTP."""
        return {
            "clock": self.clock,
            "page_url": self.page_url,
            "key_of": self.key_of,
            "guard": self.guard,
        }


# Each takes the settings of its own service, which the key stands for.
SERVICES: Final[dict[str, Callable[[Any, Surroundings], Channel]]] = {
    "console": lambda settings, _: ConsoleChannel(settings),
    "pagerduty": lambda settings, around: PagerDutyChannel(settings, **around.facts),
    "slack": lambda settings, around: SlackChannel(settings, **around.facts),
    "webhook": lambda settings, around: WebhookChannel(settings, **around.facts),
}


def open_channel(
    settings: ChannelSettings,
    *,
    clock: Clock,
    page_url: str = "",
    key_of: Callable[[str], str | None] = lambda _: None,
    guard: AddressGuard | None = None,
) -> Channel:
    """Return the channel that these settings describe; nothing is sent yet."""
    channel = SERVICES[settings.service](settings, Surroundings(clock, page_url, key_of, guard))
    if settings.severity_map:
        return SeverityMapped(channel, settings.severity_map.items())
    return channel
