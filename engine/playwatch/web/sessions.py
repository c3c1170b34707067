"""Sessions: log-ins of people, each a random cookie that can be taken back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwatch.ports import Clock
    from playwatch.web.callers import Caller

COOKIE: Final = "playwatch_session"

_MOST: Final = 1_000


class Sessions:
    """The log-ins that last; in memory, so a restart ends them all.

    Parameters
    ----------
    clock
        Its monotonic side bounds their life: a clock that is set back cannot
        lengthen it.
    lifetime_s
        How long one lasts, used or not.

    Notes
    -----
    A cookie is known by its digest only. The word that a form must bring
    (against forged requests) derives from the cookie and a key of this
    process, so a page before the log-in has one too.
    """

    def __init__(self, clock: Clock, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self._clock = clock
        self._key = secrets.token_bytes(32)
        # In the order of their beginning.
        self._known: dict[bytes, tuple[Caller, int]] = {}

    def begin(self, caller: Caller) -> str:
        """Return the cookie of a new session; beyond a thousand the oldest ends."""
        cookie = fresh_cookie()
        ends_at = self._clock.monotonic_ms() + round(self.lifetime_s * 1000)
        self._known[_digest(cookie)] = (replace(caller, csrf=self.csrf(cookie)), ends_at)
        while len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
        return cookie

    def caller(self, cookie: str) -> Caller | None:
        """Return whose session a cookie is; None when it is over or never was."""
        digest = _digest(cookie)
        found = self._known.get(digest)
        if found is None:
            return None
        caller, ends_at = found
        if self._clock.monotonic_ms() >= ends_at:
            del self._known[digest]
            return None
        return caller

    def end(self, cookie: str) -> None:
        """Forget a session: its cookie opens nothing any more."""
        self._known.pop(_digest(cookie), None)

    def csrf(self, cookie: str) -> str:
        """Return the word that forms of this cookie's holder must bring."""
        return hmac.new(self._key, cookie.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def is_csrf(self, cookie: str, word: str) -> bool:
        """Return whether a form brought the right word."""
        return hmac.compare_digest(self.csrf(cookie).encode(), word.encode("utf-8", "replace"))


def fresh_cookie() -> str:
    """Return a cookie that nobody can guess."""
    return secrets.token_urlsafe(32)


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
