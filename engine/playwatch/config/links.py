"""Addresses of the web in a configuration."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainSerializer

from playwatch.config.fields import Scalar, mistake, text


def web_url(value: str) -> str:
    """Return a URL of the web; anything else is a mistake."""
    try:
        parts = urlsplit(value)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_web = False
    if not is_web or re.search(r"[\s\x00-\x1f]", value):
        message = "is not a URL of the web"
        raise mistake(message, "it starts with https:// or http://")
    return value


def _known_url(value: object) -> object:
    """Check a URL; one that waits for a variable cannot be checked yet."""
    if isinstance(value, Scalar) and value.missing:
        return str(value)
    found = text(value)
    return web_url(found) if isinstance(found, str) else found


WebUrl = Annotated[str, BeforeValidator(_known_url), PlainSerializer(str)]
"""``https://`` or ``http://`` with a host."""
