"""Where a channel that is about to be added wants to send: allowed, or why not."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from playwatch.channels.guard import AddressGuard, refusal
from playwatch.config.channels import PagerDutySettings
from playwatch.config.hooks import SlackSettings, WebhookSettings
from playwatch.errors import Mistake

if TYPE_CHECKING:
    from playwatch.config.channels import ChannelSettings

_LOOK_UP_S: Final = 2.0
_HINT: Final = "name the host in web.channel_hosts, or write the channel in the configuration file"


async def mistakes_of_target(channel: ChannelSettings, guard: AddressGuard) -> list[Mistake]:
    """Return why a channel must not send where it wants to; empty for no reason.

    Notes
    -----
    A name is looked up, for two seconds at most. One that cannot be is let
    pass: it is judged again at each connection.
    """
    pointer, url = _target(channel)
    host = (urlsplit(url).hostname or "") if url else ""
    if not host or guard.trusts(host):
        return []
    if isinstance(channel, PagerDutySettings):
        message = "is taken from the configuration file only; `region` is us or eu"
        return [Mistake(pointer, message, _HINT)]
    refused = guard.refusal_of_url(url) or await _refused_when_looked_up(host)
    return [Mistake(pointer, f"is not allowed: {refused}", _HINT)] if refused else []


def _target(channel: ChannelSettings) -> tuple[str, str]:
    if isinstance(channel, PagerDutySettings):
        return "/url", channel.url or ""
    if isinstance(channel, WebhookSettings):
        return "/url", channel.key
    if isinstance(channel, SlackSettings):
        return "/webhook_url", channel.key
    return "", ""


async def _refused_when_looked_up(host: str) -> str:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_LOOK_UP_S):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return ""
    refused = (refusal(str(address[0])) for *_, address in found)
    return next((f"{host} leads to {why}" for why in refused if why), "")
