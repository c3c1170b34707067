"""Notification channels: a service's name, and what opens it.

A new channel is one file beside `console` and one line in `SERVICES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwatch.channels.console import ConsoleChannel
from playwatch.channels.keys import fingerprint
from playwatch.channels.pagerduty import PagerDutyChannel

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.config.schema import ConsoleSettings, PagerDutySettings
    from playwatch.ports import Channel, Clock

__all__ = ["SERVICES", "Surroundings", "fingerprint", "open_channel"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a channel may need of the engine around it.

    Attributes
    ----------
    clock
        Tells the time.
    page_url
        Where people see this engine's pages, for links back; empty for nowhere.
    """

    clock: Clock
    page_url: str = ""


# Each takes the settings of its own service, which the key stands for.
SERVICES: Final[dict[str, Callable[[Any, Surroundings], Channel]]] = {
    "console": lambda settings, _: ConsoleChannel(settings),
    "pagerduty": lambda settings, around: PagerDutyChannel(
        settings, clock=around.clock, page_url=around.page_url
    ),
}


def open_channel(
    settings: PagerDutySettings | ConsoleSettings, *, clock: Clock, page_url: str = ""
) -> Channel:
    """Return the channel that these settings describe; nothing is sent yet."""
    return SERVICES[settings.service](settings, Surroundings(clock, page_url))
