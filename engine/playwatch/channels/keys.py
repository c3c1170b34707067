"""Keys of receivers: what may be told of them without telling them."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import urlsplit

_DOMAIN: Final = b"playwatch channel key\0"
# Less is no secret, and replacing it would garble a sentence.
_SHORTEST_HIDDEN: Final = 8


def trimmed(key: str) -> str:
    """Return a key without the white space that a file or a paste put round it."""
    return key.strip()


def fingerprint(key: str) -> str:
    """Return which key it is without telling it: 12 hexadecimal digits.

    Deliveries keep it, so that a resolve finds the key its trigger was routed
    with. White space round the key does not count. A PagerDuty key and the URL
    of a Slack webhook have more than 100 random bits, so that their
    fingerprint cannot be searched back. A key that is empty has none.
    """
    key = trimmed(key)
    if not key:
        return ""
    return hashlib.sha256(_DOMAIN + key.encode("utf-8", "replace")).hexdigest()[:12]


def last_four(key: str) -> str:
    """Return what may be shown of a key: ``****wxyz``; empty for none."""
    key = trimmed(key)
    return f"****{key[-4:] if len(key) > _SHORTEST_HIDDEN else ''}" if key else ""


def redacted(text: str, *secrets: str) -> str:
    """Return text in which every secret that a receiver echoes is ``<key>``."""
    for secret in secrets:
        if secret and secret in text:
            text = text.replace(secret, "<key>")
    return text


def secrets_in(url: str) -> tuple[str, ...]:
    """Return the parts of a secret URL that nobody may read, the longest first."""
    try:
        parts = urlsplit(url)
        known = (parts.path, parts.path.strip("/"), *parts.path.split("/"))
        hidden = (url, *known, parts.query, parts.username or "", parts.password or "")
    except ValueError:
        hidden = (url,)
    long = {part for part in hidden if len(part) >= _SHORTEST_HIDDEN}
    return tuple(sorted(long, key=len, reverse=True))
