"""Keys of receivers: what may be told of them without telling them."""

from __future__ import annotations

import hashlib
from typing import Final

_DOMAIN: Final = b"playwatch channel key\0"


def trimmed(key: str) -> str:
    """Return a key without the white space that a file or a paste put round it."""
    return key.strip()


def fingerprint(key: str) -> str:
    """Return which key it is without telling it: 12 hexadecimal digits.

    Deliveries keep it, so that a resolve finds the key its trigger was routed
    with. White space round the key does not count. A PagerDuty key has more
    than 160 random bits, so its fingerprint cannot be searched back.
    """
    return hashlib.sha256(_DOMAIN + trimmed(key).encode("utf-8", "replace")).hexdigest()[:12]


def redacted(text: str, key: str) -> str:
    """Return text in which the key, should a receiver echo it, is ``<key>``."""
    return text.replace(key, "<key>") if key else text
