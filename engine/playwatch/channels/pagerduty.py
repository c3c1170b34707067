"""PagerDuty, through its Events API v2.

An answer of 202 is the only acceptance. Everything else is sorted by whose
fault it is: the event's (`Rejected`, after one more try with the least that
PagerDuty insists on), the channel's (`Misconfigured`: every event would fail,
so the queue is kept until the operator acts) or nobody's (`Retry`).

References
----------
PagerDuty, "Events API v2 Overview": 202 is final, 400 must not be sent again,
429 and 5xx may. About 120 events per minute and integration key.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from playwatch.channels.http import Answer, Failure, Fault, HttpPost
from playwatch.channels.keys import fingerprint, redacted, trimmed
from playwatch.channels.pagerduty_event import full_body, minimal_body
from playwatch.channels.wording import one_line, shortened
from playwatch.core.deliveries import Misconfigured, Rejected, Retry, Sent

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from playwatch.channels.http import PostLimits
    from playwatch.config.schema import PagerDutySettings
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Clock

ENDPOINTS: Final = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}

_ACCEPTED: Final = 202
_REDIRECTS: Final = range(300, 400)
_INVALID: Final = frozenset({400, 422})
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_PASSING: Final = frozenset({408, 425, _TOO_MANY, *range(500, 600)})
# A gateway gave up waiting or lost its upstream: the event may be in.
_GATEWAY: Final = frozenset({502, 504})
_WRONG_KEY: Final = frozenset({401, 403, 404})
_KEY_NAMED: Final = re.compile(r"routing[ _]key", re.IGNORECASE)
_SNIPPET: Final = 300


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
    former_keys
        Keys the channel had before. A delivery that was routed with one of
        them is sent with it, because PagerDuty matches a resolve with its
        trigger only under one key. One that was routed with a key unknown here
        is sent with the present key, and its answer says so.
    limits, tls
        As for `playwatch.channels.http.HttpPost`.
    """

    def __init__(
        self,
        settings: PagerDutySettings,
        *,
        clock: Clock,
        page_url: str = "",
        former_keys: Sequence[str] = (),
        limits: PostLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._name = settings.name
        self._region = "" if settings.url else settings.region
        self._page_url = page_url.rstrip("/")
        self._key = trimmed(settings.integration_key.get_secret_value())
        self._keys = {fingerprint(key): trimmed(key) for key in (*former_keys, self._key)}
        url = settings.url or ENDPOINTS[settings.region]
        self._post = HttpPost(url, clock=clock, limits=limits, tls=tls)

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
        return fingerprint(self._key)

    async def send(self, delivery: Delivery) -> Attempt:
        """Try once to deliver; every failure is an `Attempt`, never an exception.

        Costs one request; a second one, in the least form, when PagerDuty
        calls the event invalid or too large.
        """
        key = self._keys.get(delivery.key_fingerprint, self._key)
        try:
            first = full_body(delivery, key, self._client_url(delivery))
        except (ValueError, TypeError, AttributeError) as error:
            return Rejected(f"the incident cannot be written as an event ({type(error).__name__})")
        outcome = await self._post.send(first)
        notes = []
        if delivery.key_fingerprint and delivery.key_fingerprint not in self._keys:
            notes.append("with the present key, the one it was routed with is gone")
        if isinstance(outcome, Answer) and self._blames_the_event(outcome):
            notes.append(f"without its details: {_complaint(outcome, key)}")
            outcome = await self._post.send(minimal_body(delivery, key))
        attempt = self._attempt(outcome, key)
        if isinstance(attempt, Sent) and notes:
            return Sent(f"{attempt.answer} ({'; '.join(notes)})")
        return attempt

    async def close(self) -> None:
        """Give back its connections."""
        await self._post.close()

    def _client_url(self, delivery: Delivery) -> str:
        return f"{self._page_url}/incidents/{delivery.incident_id}" if self._page_url else ""

    @staticmethod
    def _blames_the_event(answer: Answer) -> bool:
        """Return whether less of the same event may pass."""
        if answer.status == _TOO_LARGE:
            return True
        return answer.status in _INVALID and not answer.is_html and not _names_the_key(answer)

    def _attempt(self, outcome: Answer | Failure, key: str) -> Attempt:
        if isinstance(outcome, Failure):
            return self._without_answer(outcome)
        said = _complaint(outcome, key)
        if outcome.status == _ACCEPTED:
            return Sent(said)
        if outcome.status in _PASSING:
            return Retry(
                f"{self._post.host} answered {said}",
                outcome.retry_after_s,
                is_rate_limit=outcome.status == _TOO_MANY,
                is_ambiguous=outcome.is_ambiguous or outcome.status in _GATEWAY,
            )
        if outcome.status == _TOO_LARGE or self._blames_the_event(outcome):
            return Rejected(f"{self._post.host} refused even the shortest form of it: {said}")
        return Misconfigured(self._advice(outcome, said))

    def _advice(self, answer: Answer, said: str) -> str:
        """Return what the operator should look at."""
        host = self._post.host
        region = f" (this channel uses region {self._region!r})" if self._region else ""
        if answer.status in _WRONG_KEY:
            return (
                f"{host} answered {said}: wrong integration key, wrong service region{region}"
                " or wrong `url`"
            )
        if answer.status in _REDIRECTS:
            return (
                f"{host} redirects ({said}); this is never followed, because the key is in the"
                " message: set the final address as `url`"
            )
        if answer.is_html or answer.status < _REDIRECTS.start:
            return (
                f"{host} gave an answer that is not PagerDuty's, {said}: a proxy or a login page"
                " stands between; let this machine reach it directly"
            )
        if answer.status in _INVALID:
            return (
                f"{host} refuses the integration key, {said}: set the 32-character key of an"
                " Events API v2 integration"
            )
        return f"{host} answered {said}, which PagerDuty does not: check `region` and `url`"

    @staticmethod
    def _without_answer(failure: Failure) -> Attempt:
        advice = {
            Fault.TRUST: "it is never skipped; check `url`, this machine's clock and certificates",
            Fault.PROXY: "check HTTPS_PROXY and its credentials",
            Fault.ADDRESS: "set `url` to an https:// address or leave it out",
        }.get(failure.fault)
        if advice is not None:
            return Misconfigured(f"{failure.reason}: {advice}")
        return Retry(failure.reason, is_ambiguous=failure.is_ambiguous)


def _names_the_key(answer: Answer) -> bool:
    """Return whether an answer of 400 is about the integration key."""
    return _KEY_NAMED.search(" ".join(_sentences(answer.text))) is not None


def _sentences(text: str) -> list[str]:
    """Return the sentences in an answer: its errors, else its message, else all of it."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    if not isinstance(body, dict):
        return [text]
    errors = body.get("errors")
    listed = errors if isinstance(errors, list) else [errors]
    return [str(error) for error in listed if error] or [str(body.get("message") or text)]


def _complaint(answer: Answer, key: str) -> str:
    """Return the status and the receiver's words, bounded and without the key."""
    if answer.is_html:
        return f"{answer.status} with an HTML page"
    words = one_line(redacted("; ".join(_sentences(answer.text)), key))
    return f"{answer.status} {shortened(words, _SNIPPET)}".strip()
