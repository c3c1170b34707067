"""What an answer means, where the receivers of the world agree.

Whose fault is it? The receiver's or the network's (`Retry`), the channel's
(`Misconfigured`: every message would fail, so the queue is kept) or this
message's (`Rejected`). The last needs words that only a channel knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from playwatch.channels.http import Fault
from playwatch.channels.keys import redacted
from playwatch.channels.wording import one_line, shortened
from playwatch.core.deliveries import Cause, Misconfigured, Rejected, Retry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.channels.http import Answer, Failure
    from playwatch.core.deliveries import Attempt

REDIRECTS: Final = range(300, 400)
INVALID: Final = frozenset({400, 413, 422})
"""Statuses that may blame the message: less of it may pass."""
TOO_MANY: Final = 429

_PASSING: Final = frozenset({408, 425, TOO_MANY, *range(500, 600)})
# A gateway gave up waiting or lost its upstream: the message may be in.
_GATEWAY: Final = frozenset({502, 504})
_SNIPPET: Final = 300


def passing(answer: Answer, host: str, said: str) -> Retry | None:
    """Return the retry that an answer asks for, or None when it is final."""
    if answer.status not in _PASSING:
        return None
    return Retry(
        f"{host} answered {said}",
        answer.retry_after_s,
        is_rate_limit=answer.status == TOO_MANY,
        is_ambiguous=answer.is_ambiguous or answer.status in _GATEWAY,
        cause=Cause.RATE_LIMITED if answer.status == TOO_MANY else Cause.SERVER,
    )


def unanswered(failure: Failure) -> Attempt:
    """Return what follows when no answer came."""
    advice = {
        Fault.TRUST: "it is never skipped; check `url`, this machine's clock and certificates",
        Fault.PROXY: "check HTTPS_PROXY and its credentials",
        Fault.FORBIDDEN: (
            "name the host in web.channel_hosts, or write the channel in the configuration file"
        ),
        Fault.ADDRESS: "set `url` to an https:// address or leave it out",
    }.get(failure.fault)
    if advice is not None:
        return Misconfigured(f"{failure.reason}: {advice}")
    cause = Cause.TIMEOUT if failure.is_timeout else Cause.NETWORK
    return Retry(failure.reason, is_ambiguous=failure.is_ambiguous, cause=cause)


def refused(host: str, said: str, *, is_shortened: bool) -> Rejected:
    """Return what follows when the message is to blame: less of it may pass, or nothing."""
    what = "even the shortest form of it" if is_shortened else "it"
    return Rejected(f"{host} refused {what}: {said}")


def redirected(host: str, said: str) -> Misconfigured:
    """Return what follows a redirect: nothing goes there by itself."""
    return Misconfigured(
        f"{host} redirects ({said}); this is never followed, because the key is in the"
        " message: set the final address as `url`"
    )


def sentences(text: str) -> list[str]:
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


def complaint(answer: Answer, secrets: Iterable[str]) -> str:
    """Return the status and the receiver's words, bounded and without any secret."""
    if answer.is_html:
        return f"{answer.status} with an HTML page"
    words = one_line(redacted("; ".join(sentences(answer.text)), *secrets))
    return f"{answer.status} {shortened(words, _SNIPPET)}".strip()
