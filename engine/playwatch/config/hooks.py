"""Channels that post to a URL of their own: signed webhooks and Slack."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
)

from playwatch.config.fields import Scalar, Secret, mistake, text
from playwatch.config.filters import ChannelFields
from playwatch.config.links import web_url
from playwatch.config.rates import RateLimit  # noqa: TC001 - pydantic reads it

PREFIX: Final = "whsec_"
"""What a signing secret begins with."""
_SECRET_BYTES: Final = range(24, 65)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
    }
)
_ADVICE: Final = "make one: echo whsec_$(openssl rand -base64 32)"


def _secret_url(value: object) -> object:
    """Check a URL that holds a secret, without ever repeating it."""
    if isinstance(value, Scalar) and value.missing:
        return str(value)
    found = text(value)
    if not isinstance(found, str):
        return found
    url = web_url(found.strip())
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        message = "must start with https://: what it carries is a secret"
        raise mistake(message, "http:// is possible on this machine only, such as http://127.0.0.1")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown_url(url: SecretStr) -> str:
    """Return what may be shown of a URL that holds a secret: ``https://host/****wxyz``."""
    whole = url.get_secret_value()
    if whole.startswith("${"):
        return whole
    parts = urlsplit(whole)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    rest = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return f"{parts.scheme}://{host}{port}/****{rest[-4:] if len(rest) > 8 else ''}"  # noqa: PLR2004 - less would tell too much


def signing_secrets(written: str) -> tuple[bytes, ...]:
    """Return the secrets in a text, separated by white space, as bytes.

    Raises
    ------
    ValueError
        If one is not ``whsec_`` and 24 to 64 bytes in base64; never tells it.
    """
    return tuple(_signing_secret(one) for one in written.split())


def _signing_secret(written: str) -> bytes:
    encoded = written.removeprefix(PREFIX)
    if encoded == written:
        message = "does not start with whsec_"
        raise ValueError(message)
    try:
        padding = "=" * (-len(encoded) % 4)  # Some tools leave it out.
        secret = base64.b64decode(encoded + padding, validate=True)
    except (binascii.Error, ValueError):
        message = "is not base64 behind its whsec_"
        raise ValueError(message) from None
    if len(secret) not in _SECRET_BYTES:
        message = f"holds {len(secret)} bytes, not 24 to 64"
        raise ValueError(message)
    return secret


def _secrets(value: object) -> object:
    """Read one secret or several: a list, or a text with white space between them."""
    several = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(one, Scalar) and one.missing for one in several):
        return " ".join(str(one) for one in several)
    texts = [text(one) for one in several]
    if not texts or not all(isinstance(one, str) for one in texts):
        return value
    written = " ".join(str(one) for one in texts)
    try:
        signing_secrets(written)
    except ValueError as error:
        message = f"a signing secret {error}"
        raise mistake(message, _ADVICE) from None
    return " ".join(written.split())


def _shown_secrets(secrets: SecretStr) -> str:
    """Return the last four characters of every secret."""
    written = secrets.get_secret_value()
    if "${" in written:
        return written
    return " ".join(f"****{one[-4:]}" for one in written.split())


def _header_name(name: str) -> str:
    lower = name.lower()
    if not _HEADER.fullmatch(name):
        message = f"'{name}' is not the name of a header"
        raise mistake(message)
    if lower in _OURS or lower.startswith("webhook-"):
        message = f"the header '{name}' is set by Playwatch itself"
        raise mistake(message)
    return name


def _header_value(value: SecretStr) -> SecretStr:
    written = value.get_secret_value()
    if not written.isprintable() or not written.isascii():
        message = "a header's value is one line of ASCII text"
        raise mistake(message)
    return value


SecretUrl = Annotated[SecretStr, BeforeValidator(_secret_url), PlainSerializer(shown_url)]
"""A URL that whoever knows it may post to; ``http`` on this machine only."""
SigningSecrets = Annotated[
    SecretStr,
    BeforeValidator(_secrets),
    PlainSerializer(_shown_secrets),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
"""One ``whsec_`` secret, or several while they are exchanged."""
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[Secret, AfterValidator(_header_value)]


class WebhookSettings(ChannelFields):
    """Any HTTPS address, by the Standard Webhooks specification.

    Attributes
    ----------
    url
        Where to; treated as a secret, since many receivers put one into it.
    secret
        What every message is signed with. With several, each signs, and the
        receiver may check any of them.
    headers
        Sent with every message, such as ``Authorization``.
    """

    model_config = ConfigDict(title="Webhook channel")

    service: Literal["webhook"]
    url: SecretUrl
    secret: SigningSecrets
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """The URL."""
        return self.url.get_secret_value()


class SlackSettings(ChannelFields):
    """A Slack channel, by an incoming webhook.

    Attributes
    ----------
    webhook_url
        As Slack shows it. Whoever knows it can post, so it is a secret.
    rate_limit
        Slack takes about one message a second.
    """

    model_config = ConfigDict(title="Slack channel")

    service: Literal["slack"]
    webhook_url: SecretUrl
    rate_limit: RateLimit = 60

    @property
    def key(self) -> str:
        """The URL."""
        return self.webhook_url.get_secret_value()
