"""Slack, through an incoming webhook.

The opening, each rise and the end of an incident are messages of their own: an
incoming webhook can neither change nor find what it posted; that takes a bot
token. The URL is the only credential, so it is treated as a key: never shown,
known by its fingerprint.

Limits
------
About one message a second and webhook, then 429 with ``Retry-After``:
``rate_limit`` is 60 per minute by default. 50 blocks a message, 3,000 characters
a section, 2,000 a field, 10 fields. A message cannot be changed or taken back.

References
----------
Slack, "Sending messages using incoming webhooks" (answers ``ok`` with 200, else a
word such as ``invalid_payload``, ``channel_is_archived``), "Rate limits".
"""

from __future__ import annotations

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
from playwatch.channels.http import Answer, Failure
from playwatch.channels.slack_message import full_body, minimal_body
from playwatch.core.deliveries import Misconfigured, Rejected, Sent

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from playwatch.channels.addresses import Address
    from playwatch.channels.guard import AddressGuard
    from playwatch.channels.http import PostLimits
    from playwatch.config.hooks import SlackSettings
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Clock

_ACCEPTED: Final = 200
_A_NEW_ONE: Final = "make a new incoming webhook and set its `webhook_url`"
_WORDS: Final = {
    "action_prohibited": "an administrator of the workspace restricts posting there",
    "channel_is_archived": "the Slack channel is archived; bring it back or use another webhook",
    "channel_not_found": f"the Slack channel is gone; {_A_NEW_ONE}",
    "invalid_token": f"the webhook is not valid; {_A_NEW_ONE}",
    "no_active_hooks": f"the webhook is disabled; {_A_NEW_ONE}",
    "no_service": f"the webhook is disabled, removed or not valid; {_A_NEW_ONE}",
    "no_service_id": f"the webhook is not valid; {_A_NEW_ONE}",
    "no_team": f"the workspace is gone; {_A_NEW_ONE}",
    "posting_to_general_channel_denied": "an administrator restricts posting to that channel",
    "team_disabled": "the workspace is disabled",
    "user_not_found": f"the webhook posts to a person who is gone; {_A_NEW_ONE}",
}
"""What no message can help, by the word that Slack answers with."""


class SlackChannel:
    """Posts the opening and the end of incidents to one Slack channel.

    Parameters
    ----------
    settings
        Name and webhook URL.
    clock
        Tells the time for a ``Retry-After`` date.
    page_url
        Where people see Playwatch, or empty; makes the link back to the incident.
    key_of
        Tells a former URL by its fingerprint, or None when it is gone. The end
        of an incident is posted where its opening was.
    limits, tls, guard
        As for `playwatch.channels.http.HttpPost`.
    """

    def __init__(
        self,
        settings: SlackSettings,
        *,
        clock: Clock,
        page_url: str = "",
        key_of: Callable[[str], str | None] = lambda _: None,
        limits: PostLimits | None = None,
        tls: ssl.SSLContext | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._name = settings.name
        self._page_url = page_url.rstrip("/")
        url = settings.webhook_url.get_secret_value()
        self._addresses = Addresses(
            url, clock=clock, key_of=key_of, limits=limits, tls=tls, guard=guard
        )

    def __repr__(self) -> str:
        """Return its name and the host it sends to, never the URL."""
        return f"SlackChannel({self._name!r}, {self.endpoint!r})"

    @property
    def name(self) -> str:
        """The name of the channel in the configuration."""
        return self._name

    @property
    def key_fingerprint(self) -> str:
        """Which webhook new deliveries are posted by."""
        return self._addresses.fingerprint

    @property
    def endpoint(self) -> str:
        """The place it sends to: channels that share it learn together that it is away."""
        return self._addresses.present.post.host

    async def send(self, delivery: Delivery) -> Attempt:
        """Try once to deliver; every failure is an `Attempt`, never an exception.

        Costs one request, and another one when a former webhook refuses it.
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
            return Rejected(f"the incident cannot be written as a message ({type(error).__name__})")
        outcome = await address.post.send(body)
        if isinstance(outcome, Failure):
            return unanswered(outcome)
        said = complaint(outcome, address.secrets)
        attempt = _judge(outcome, address.post.host, said, is_shortened=is_short)
        if is_short and isinstance(attempt, Sent):
            return Sent(f"{attempt.answer} (as plain text)")
        return attempt


def _judge(answer: Answer, host: str, said: str, *, is_shortened: bool) -> Attempt:
    if answer.status == _ACCEPTED and not answer.is_html:
        return Sent(said)
    if attempt := passing(answer, host, said):
        return attempt
    if _blames_the_message(answer):
        return refused(host, said, is_shortened=is_shortened)
    if answer.status in REDIRECTS:
        return redirected(host, said)
    return Misconfigured(_advice(answer, host, said))


def _advice(answer: Answer, host: str, said: str) -> str:
    """Return what the operator should look at."""
    if answer.is_html or answer.status < REDIRECTS.start:
        return (
            f"{host} gave an answer that is not Slack's, {said}: a proxy or a login page stands"
            " between, or `webhook_url` is not one of Slack's"
        )
    return f"{host} answered {said}: {_WORDS.get(answer.text.strip(), _A_NEW_ONE)}"


def _blames_the_message(answer: Answer) -> bool:
    """Return whether a plainer message may pass."""
    return answer.status in INVALID and not answer.is_html and answer.text.strip() not in _WORDS
