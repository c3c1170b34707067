"""PagerDuty, through its Events API v2.

An answer of 202 is the only acceptance. Everything else is sorted by whose
fault it is: the event's (`Rejected`: it goes once more with the least that
PagerDuty insists on), the channel's (`Misconfigured`: every event would fail,
so the queue is kept until the operator acts) or nobody's (`Retry`).

Limits
------
About 120 events in any minute and integration key, more only by agreement:
``rate_limit`` is 100 by default. 512 KB a body, 1,024 characters a summary, 255
a ``dedup_key``. A trigger on an open incident wakes nobody, and shows the facts
of the first one. A resolve under another key than its trigger's is dropped.

References
----------
PagerDuty, "Events API v2 Overview": 202 is final, 400 must not be sent again,
429 and 5xx may; "Rate Limits".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from playwatch.channels.answers import (
    INVALID,
    REDIRECTS,
    complaint,
    passing,
    redirected,
    refused,
    sentences,
    unanswered,
)
from playwatch.channels.http import Answer, Failure, HttpPost
from playwatch.channels.keys import fingerprint, trimmed
from playwatch.channels.pagerduty_event import full_body, minimal_body
from playwatch.core.deliveries import Misconfigured, Rejected, Sent

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from playwatch.channels.guard import AddressGuard
    from playwatch.channels.http import PostLimits
    from playwatch.config.schema import PagerDutySettings
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Clock

ENDPOINTS: Final = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}

_ACCEPTED: Final = 202
_TOO_LARGE: Final = 413
_WRONG_KEY: Final = frozenset({401, 403, 404})
_KEY_NAMED: Final = re.compile(r"routing[ _]key", re.IGNORECASE)
# What it says with nearly every 202, so that its JSON need not be read each time.
_USUAL: Final = '"Event processed"'
_PROCESSED: Final = Sent("202 Event processed")


class PagerDutyChannel:
    """Opens and resolves PagerDuty incidents.

    Parameters
    ----------
    settings
        Name, integration key, region or full URL.
    clock
        Tells the time for a ``Retry-After`` date.
    page_url
        Where people see Playwatch, or empty; makes the link back to the
        incident: ``<page_url>/incidents/<id>``.
    key_of
        Tells a key by its fingerprint, or None when it is gone. A delivery
        that was routed with a former key is sent with that, because PagerDuty
        matches a resolve with its trigger only under one key. Where a former
        key is gone or refused the present one is used, and the answer says so.
    limits, tls, guard
        As for `playwatch.channels.http.HttpPost`.
    """

    confirms_resolves = True
    """A resolve under whose key nothing is open is dropped: to repeat it costs nothing."""

    def __init__(
        self,
        settings: PagerDutySettings,
        *,
        clock: Clock,
        page_url: str = "",
        key_of: Callable[[str], str | None] = lambda _: None,
        limits: PostLimits | None = None,
        tls: ssl.SSLContext | None = None,
        guard: AddressGuard | None = None,
    ) -> None:
        self._name = settings.name
        self._region = "" if settings.url else settings.region
        self._page_url = page_url.rstrip("/")
        self._key = trimmed(settings.integration_key.get_secret_value())
        self._fingerprint = fingerprint(self._key)
        self._key_of = key_of
        url = settings.url or ENDPOINTS[settings.region]
        self._post = HttpPost(url, clock=clock, limits=limits, tls=tls, guard=guard)

    def __repr__(self) -> str:
        """Return its name and where it sends to, never the key."""
        return f"PagerDutyChannel({self._name!r}, {self._post.host!r})"

    @property
    def name(self) -> str:
        """The name of the channel in the configuration."""
        return self._name

    @property
    def key_fingerprint(self) -> str:
        """Which key new deliveries are routed with."""
        return self._fingerprint

    @property
    def endpoint(self) -> str:
        """The place it sends to: channels that share it learn together that it is away."""
        return self._post.host

    async def send(self, delivery: Delivery) -> Attempt:
        """Try once to deliver; every failure is an `Attempt`, never an exception.

        Costs one request, and another one when PagerDuty refuses a former key.
        """
        routed = delivery.key_fingerprint
        if routed in {"", self._fingerprint}:
            attempt, _ = await self._try(delivery, self._key)
            return attempt
        former = trimmed(self._key_of(routed) or "")
        if former:
            attempt, is_refused = await self._try(delivery, former)
            if not is_refused:
                return attempt
        attempt, _ = await self._try(delivery, self._key)
        if not isinstance(attempt, Sent):
            return attempt
        what = "refused" if former else "gone"
        return Sent(
            f"{attempt.answer} (with the present key, the one it was routed with is {what})"
        )

    async def close(self) -> None:
        """Give back its connections."""
        await self._post.close()

    async def _try(self, delivery: Delivery, key: str) -> tuple[Attempt, bool]:
        """Return what became of a delivery under a key, and whether the key was refused."""
        try:
            body = self._body(delivery, key)
        except (ValueError, TypeError, AttributeError) as error:
            what = f"the incident cannot be written as an event ({type(error).__name__})"
            return Rejected(what), False
        outcome = await self._post.send(body)
        if isinstance(outcome, Failure):
            return unanswered(outcome), False
        attempt = self._judge(outcome, key, is_shortened=delivery.is_shortened)
        if delivery.is_shortened and isinstance(attempt, Sent):
            attempt = Sent(f"{attempt.answer} (without its details)")
        return attempt, _blames_the_key(outcome)

    def _body(self, delivery: Delivery, key: str) -> bytes:
        if delivery.is_shortened:
            return minimal_body(delivery, key)
        where = f"{self._page_url}/incidents/{delivery.incident_id}" if self._page_url else ""
        return full_body(delivery, key, where)

    def _judge(self, answer: Answer, key: str, *, is_shortened: bool) -> Attempt:
        if answer.status == _ACCEPTED and _USUAL in answer.text and key not in answer.text:
            return _PROCESSED
        said = complaint(answer, (key,))
        if answer.status == _ACCEPTED:
            return Sent(said)
        if attempt := passing(answer, self._post.host, said):
            return attempt
        if _blames_the_event(answer):
            return refused(self._post.host, said, is_shortened=is_shortened)
        if answer.status in REDIRECTS:
            return redirected(self._post.host, said)
        return Misconfigured(self._advice(answer, said))

    def _advice(self, answer: Answer, said: str) -> str:
        """Return what the operator should look at."""
        host = self._post.host
        region = f" (this channel uses region {self._region!r})" if self._region else ""
        if answer.status in _WRONG_KEY:
            return (
                f"{host} answered {said}: wrong integration key, wrong service region{region}"
                " or wrong `url`"
            )
        if answer.is_html or answer.status < REDIRECTS.start:
            return (
                f"{host} gave an answer that is not PagerDuty's, {said}: a proxy or a login page"
                " stands between; let this machine reach it directly"
            )
        if answer.status in INVALID:
            return (
                f"{host} refuses the integration key, {said}: set the 32-character key of an"
                " Events API v2 integration"
            )
        return f"{host} answered {said}, which PagerDuty does not: check `region` and `url`"


def _blames_the_event(answer: Answer) -> bool:
    """Return whether less of the same event may pass."""
    if answer.status == _TOO_LARGE:
        return True
    return answer.status in INVALID and not answer.is_html and not _names_the_key(answer)


def _blames_the_key(answer: Answer) -> bool:
    """Return whether another key may pass."""
    if answer.is_html:
        return False
    return answer.status in _WRONG_KEY or (answer.status in INVALID and _names_the_key(answer))


def _names_the_key(answer: Answer) -> bool:
    """Return whether an answer of 400 is about the integration key."""
    return _KEY_NAMED.search(" ".join(sentences(answer.text))) is not None
