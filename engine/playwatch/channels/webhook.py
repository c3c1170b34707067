"""Any HTTPS address, signed by the Standard Webhooks specification.

Every answer from 200 to 299 is an acceptance. 410 means that the receiver wants
no more, and like other refusals of the address or the signature it keeps the
queue until the operator acts. A message that is refused itself is tried once more
with less in it, and then given up.

Limits
------
The specification names no rate, so ``rate_limit`` is none by default. It asks for
bodies of less than about 20 kB, which an incident stays far below, and lets senders
wait up to 30 s for an answer; here it is 15 s.

References
----------
Standard Webhooks 1.0.0: "Signature scheme", "Webhook headers", "Delivery
success and failure".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from playwatch.channels.addresses import Addresses
from playwatch.channels.answers import (
    INVALID,
    REDIRECTS,
    complaint,
    passing,
    redirected,
    refused,
    unanswered,
)
from playwatch.channels.http import Answer, Failure, PostLimits
from playwatch.channels.webhook_event import full_body, minimal_body
from playwatch.config.hooks import signing_secrets
from playwatch.core.deliveries import Misconfigured, Rejected, Sent

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from playwatch.channels.addresses import Address
    from playwatch.channels.guard import AddressGuard
    from playwatch.config.hooks import WebhookSettings
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Clock

LIMITS: Final = PostLimits(total=15.0)

_ACCEPTED: Final = range(200, 300)
_TOO_LARGE: Final = 413
_SIGNATURE_NAMED: Final = re.compile(
    r"signature|verif|hmac|webhook[- ]?(id|timestamp|secret)|whsec|timestamp too", re.IGNORECASE
)
_ADVICE: Final = {
    401: "check `secret` and `headers`",
    403: "check `secret` and `headers`",
    404: "check `url`",
    405: "check `url`: it takes no POST",
    410: "the receiver wants no more messages; take the channel out or set another `url`",
}
_SAFE_ID: Final = re.compile(r"[A-Za-z0-9_/-]{1,200}")


class WebhookChannel:
    """POSTs whole incidents to one URL, signed.

    Parameters
    ----------
    settings
        Name, URL, signing secrets, further headers.
    clock
        Tells the time of an attempt, which is part of the signature.
    page_url
        Where people see Playwatch, or empty; makes the link back to the incident.
    key_of
        Tells a former URL by its fingerprint, or None when it is gone. The end
        of an incident goes where its beginning went. ``headers`` go to the
        present URL only.
    limits, tls, guard
        As for `playwatch.channels.http.HttpPost`.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        clock: Clock,
        page_url: str = "",
        key_of: Callable[[str], str | None] = lambda _: None,
        limits: PostLimits = LIMITS,
        tls: ssl.SSLContext | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._name = settings.name
        self._clock = clock
        self._page_url = page_url.rstrip("/")
        written = settings.secret.get_secret_value()
        self._secrets = signing_secrets(written)
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._hidden = (*written.split(), *self._headers.values())
        self._addresses = Addresses(
            settings.url.get_secret_value(),
            clock=clock,
            key_of=key_of,
            limits=limits,
            tls=tls,
            guard=guard,
        )

    def __repr__(self) -> str:
        """Return its name and where it sends to, never the whole URL."""
        return f"WebhookChannel({self._name!r}, {self.endpoint!r})"

    @property
    def name(self) -> str:
        """The name of the channel in the configuration."""
        return self._name

    @property
    def key_fingerprint(self) -> str:
        """Which URL new deliveries go to."""
        return self._addresses.fingerprint

    @property
    def endpoint(self) -> str:
        """The place it sends to: channels that share it learn together that it is away."""
        return self._addresses.present.post.host

    async def send(self, delivery: Delivery) -> Attempt:
        """Try once to deliver; every failure is an `Attempt`, never an exception.

        Costs one request, and another one when a former URL refuses it.
        """
        return await self._addresses.deliver(delivery, self._send_to)

    async def close(self) -> None:
        """Give back its connections."""
        await self._addresses.close()

    async def _send_to(self, delivery: Delivery, address: Address) -> Attempt:
        try:
            is_short = delivery.is_shortened
            body = minimal_body(delivery) if is_short else full_body(delivery, self._page_url)
        except (ValueError, TypeError, AttributeError) as error:
            return Rejected(f"the incident cannot be written as JSON ({type(error).__name__})")
        outcome = await self._post(address, delivery, body)
        if isinstance(outcome, Failure):
            return unanswered(outcome)
        said = complaint(outcome, (*address.secrets, *self._hidden))
        attempt = self._judge(outcome, address.post.host, said, is_shortened=is_short)
        if is_short and isinstance(attempt, Sent):
            return Sent(f"{attempt.answer} (without its details)")
        return attempt

    async def _post(self, address: Address, delivery: Delivery, body: bytes) -> Answer | Failure:
        at_s = self._clock.wall_ms() // 1000
        signed = signed_headers(message_id(delivery), at_s, body, self._secrets)
        headers = {**self._headers, **signed} if address.is_present else signed
        return await address.post.send(body, headers)

    @staticmethod
    def _judge(answer: Answer, host: str, said: str, *, is_shortened: bool) -> Attempt:
        if answer.status in _ACCEPTED:
            return Sent(said)
        if attempt := passing(answer, host, said):
            return attempt
        if _blames_the_message(answer):
            return refused(host, said, is_shortened=is_shortened)
        if answer.status in REDIRECTS:
            return redirected(host, said)
        advice = _ADVICE.get(answer.status, "check `url`")
        if answer.status in INVALID:
            advice = "check `secret`"
        return Misconfigured(f"{host} answered {said}: {advice}")


def signed_headers(
    identity: str, at_s: int, body: bytes, secrets: Iterable[bytes]
) -> dict[str, str]:
    """Return the three headers of Standard Webhooks.

    Parameters
    ----------
    identity
        The same for every attempt of one message; without a full stop, which
        parts the signed content.
    at_s
        When this attempt is made, seconds since the epoch.
    body
        The very bytes that are sent.
    secrets
        Each signs. A receiver takes the message when one signature fits, so a
        secret can be exchanged without a gap.
    """
    content = b".".join((identity.encode(), str(at_s).encode(), body))
    signatures = (
        base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
        for secret in secrets
    )
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def message_id(delivery: Delivery) -> str:
    """Return the id of a delivery, or a digest of it where it would be no safe header."""
    if _SAFE_ID.fullmatch(delivery.id):
        return delivery.id
    return f"delivery_{hashlib.sha256(delivery.id.encode('utf-8', 'replace')).hexdigest()}"


def _blames_the_message(answer: Answer) -> bool:
    """Return whether less of the same message may pass."""
    if answer.status == _TOO_LARGE:
        return True
    return (
        answer.status in INVALID
        and not answer.is_html
        and _SIGNATURE_NAMED.search(answer.text) is None
    )
