"""A channel that tells severities of the operator's choice in the place of the incident's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from playwatch.core.rules import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Channel


class SeverityMapped:
    """Stands before a channel and changes the severity that it is told.

    Parameters
    ----------
    channel
        Who sends.
    severity_map
        Pairs of the incident's own word and the one to send; an own word that
        is not in them stays. Filters and the store see the incident's own.
    """

    def __init__(self, channel: Channel, severity_map: Iterable[tuple[str, str]]) -> None:
        self._channel = channel
        self._sent = {Severity[own.upper()]: Severity[sent.upper()] for own, sent in severity_map}

    def __repr__(self) -> str:
        """Return the channel behind it."""
        return f"SeverityMapped({self._channel!r})"

    @property
    def name(self) -> str:
        """The name of the channel behind it."""
        return self._channel.name

    @property
    def key_fingerprint(self) -> str:
        """Which key new deliveries are routed with."""
        return self._channel.key_fingerprint

    @property
    def endpoint(self) -> str:
        """The place it sends to; empty for none."""
        return str(getattr(self._channel, "endpoint", ""))

    @property
    def confirms_resolves(self) -> bool:
        """Whether a repeated resolve is invisible to people."""
        return bool(getattr(self._channel, "confirms_resolves", False))

    async def send(self, delivery: Delivery) -> Attempt:
        """Try once to deliver, with the severity to send."""
        own = delivery.incident.severity
        sent = self._sent.get(own, own)
        if sent is not own:
            delivery = replace(delivery, incident=replace(delivery.incident, severity=sent))
        return await self._channel.send(delivery)

    async def close(self) -> None:
        """Give back what the channel behind it holds."""
        await self._channel.close()
