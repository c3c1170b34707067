"""A channel that only says what it would send."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from playwatch.core.deliveries import Sent

if TYPE_CHECKING:
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Channel


class DryChannel:
    """Stands before a channel and writes a line instead of sending."""

    def __init__(self, channel: Channel, output: TextIO) -> None:
        self._channel = channel
        self._output = output

    @property
    def name(self) -> str:
        """The name of the channel behind it."""
        return self._channel.name

    @property
    def key_fingerprint(self) -> str:
        """Which key it would route with."""
        return self._channel.key_fingerprint

    async def send(self, delivery: Delivery) -> Attempt:
        """Write what would be sent."""
        incident = delivery.incident
        line = (
            f"would send {delivery.action.value} to {self.name}: {incident.severity.word}"
            f" {incident.rule}: {incident.summary} [{delivery.dedup_key}]"
        )
        print("".join(c if c.isprintable() else "?" for c in line), file=self._output, flush=True)
        return Sent("dry run")

    async def close(self) -> None:
        """Give back what the channel behind it holds."""
        await self._channel.close()
