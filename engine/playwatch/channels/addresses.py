"""Channels whose key is their address: where each delivery goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.channels.http import HttpPost
from playwatch.channels.keys import fingerprint, secrets_in, trimmed
from playwatch.core.deliveries import Misconfigured, Retry, Sent

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from playwatch.channels.guard import AddressGuard
    from playwatch.channels.http import PostLimits
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Clock


PATIENCE: Final = 10
"""How many attempts a former address gets that does not answer: some minutes of backoff."""


@dataclass(frozen=True, slots=True)
class Address:
    """One URL.

    Attributes
    ----------
    post
        Sends there.
    secrets
        The parts of the URL that nobody may read.
    is_present
        Whether it is the one in the configuration.
    """

    post: HttpPost
    secrets: tuple[str, ...]
    is_present: bool = True


class Addresses:
    """The present URL of a channel, and those that open incidents were told at.

    Parameters
    ----------
    url
        The present one.
    clock
        As for `playwatch.channels.http.HttpPost`.
    key_of
        Tells a former URL by its fingerprint, or None when it is gone.
    limits, tls, guard
        As for `playwatch.channels.http.HttpPost`.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        key_of: Callable[[str], str | None],
        limits: PostLimits | None = None,
        tls: ssl.SSLContext | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._clock = clock
        self._key_of = key_of
        self._limits = limits
        self._tls = tls
        self._guard = guard
        self._former: dict[str, Address] = {}
        self.fingerprint = fingerprint(url)
        self.present = self._address(trimmed(url), is_present=True)

    async def deliver(
        self, delivery: Delivery, send: Callable[[Delivery, Address], Awaitable[Attempt]]
    ) -> Attempt:
        """Send to where an incident was told first, else to the present address.

        A former address that takes no messages any more, or has not answered
        in `PATIENCE` attempts, must not hold back the channel; the present
        one is tried then.
        """
        former = self._former_address(delivery.key_fingerprint)
        if former is not None:
            attempt = await send(delivery, former)
            is_away = isinstance(attempt, Retry) and delivery.attempts >= PATIENCE
            if not is_away and not isinstance(attempt, Misconfigured):
                return attempt
        attempt = await send(delivery, self.present)
        is_moved = delivery.key_fingerprint not in {"", self.fingerprint}
        if is_moved and isinstance(attempt, Sent):
            what = "takes none" if former else "is gone"
            return Sent(f"{attempt.answer} (to the present url, the one it was told at {what})")
        return attempt

    async def close(self) -> None:
        """Give back every connection."""
        for address in (self.present, *self._former.values()):
            await address.post.close()

    def _former_address(self, routed: str) -> Address | None:
        if routed in {"", self.fingerprint}:
            return None
        if routed not in self._former:
            url = trimmed(self._key_of(routed) or "")
            if not url:
                return None
            self._former[routed] = self._address(url, is_present=False)
        return self._former[routed]

    def _address(self, url: str, *, is_present: bool) -> Address:
        post = HttpPost(
            url, clock=self._clock, limits=self._limits, tls=self._tls, guard=self._guard
        )
        return Address(post, secrets_in(url), is_present)
