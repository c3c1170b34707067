"""Who sends for a lane: its channel, and those that open incidents were told by before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.channels.addresses import PATIENCE
from playwatch.core.deliveries import Misconfigured, Retry

if TYPE_CHECKING:
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Channel


class Senders:
    """The present channel of one name, and former ones by the key that they sent with.

    Parameters
    ----------
    channel
        The present one.
    """

    def __init__(self, channel: Channel) -> None:
        self.present = channel
        self._former: dict[str, Channel] = {}

    def replace(self, channel: Channel, *, keeps: bool) -> None:
        """Send by this channel from here on.

        Parameters
        ----------
        keeps
            Whether what was routed with the former key still goes out by the
            former channel.
        """
        if keeps:
            self._former[self.present.key_fingerprint] = self.present
        self.present = channel
        self._former.pop(channel.key_fingerprint, None)

    def remember(self, former: Channel) -> None:
        """Send what was routed with the key of a channel by that channel."""
        if former.key_fingerprint != self.present.key_fingerprint:
            self._former.setdefault(former.key_fingerprint, former)

    def of(self, delivery: Delivery) -> Channel:
        """Return who sends a delivery first."""
        return self._former.get(delivery.key_fingerprint, self.present)

    async def send(self, delivery: Delivery) -> Attempt:
        """Try once to deliver.

        A former channel that is refused, or has had no answer in `PATIENCE`
        attempts, must not hold anything back; the present one is tried then.
        """
        former = self._former.get(delivery.key_fingerprint)
        if former is None:
            return await self.present.send(delivery)
        attempt = await former.send(delivery)
        is_away = isinstance(attempt, Retry) and delivery.attempts >= PATIENCE
        if is_away or isinstance(attempt, Misconfigured):
            return await self.present.send(delivery)
        return attempt
