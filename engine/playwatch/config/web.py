"""The web server's part of the configuration: where it listens, who may ask it what."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from playwatch.config.addresses import AddressOrOff, is_loopback
from playwatch.config.fields import (
    Choice,
    FilePathText,
    Flag,
    Scalar,
    Seconds,
    Strict,
    Text,
    masked,
    mistake,
)
from playwatch.config.links import WebUrl  # noqa: TC001 - pydantic reads it
from playwatch.config.quantities import split_address

_SHORTEST_TOKEN: Final = 16
_TOKEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_EVERYWHERE: Final = ("0.0.0.0:", "[::]:")

OPERATOR: Final = "operator"
"""What the holder of ``web.token`` is called."""


def _token(value: object) -> object:
    """Return a token without the white space round it; no words ever hold it."""
    if isinstance(value, Scalar) and value.missing:
        return str(value)
    if not isinstance(value, str):
        return value
    token = value.strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        message = f"must be at least {_SHORTEST_TOKEN} printable ASCII characters"
        raise mistake(message, "openssl rand -hex 24 makes a good one")
    return str(token)


Token = Annotated[SecretStr, BeforeValidator(_token), PlainSerializer(masked)]
"""What lets a caller in; at least 16 characters."""


class TokenSettings(Strict):
    """One caller: a person, a team, a dashboard.

    The id and the secret are also what a Mux client calls token id and token
    secret.
    """

    id: Text
    secret: Token
    role: Annotated[Literal["read", "write"], Choice] = "read"

    @field_validator("id")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not name.startswith("${") and not _TOKEN_ID.fullmatch(name):
            message = f"'{name}' is not an id"
            raise mistake(message, "letters, digits, '-', '_' and '.'")
        return name


class WebTlsSettings(Strict):
    """The certificate that the web server shows; it can hold its whole chain."""

    cert_file: FilePathText
    key_file: FilePathText


class WebSettings(Strict):
    """Pages, API and metrics of the engine.

    The order of the fields matters: a field is checked against those above it.
    """

    token: Token | None = None
    tokens: tuple[TokenSettings, ...] = ()
    listen: AddressOrOff = "127.0.0.1:8080"
    url: WebUrl | None = None
    anonymous_read: Flag | None = None
    session_s: Seconds = Field(
        default=12 * 3600.0,
        ge=60,
        le=30 * 86_400,
        validation_alias="session",
        serialization_alias="session",
    )
    hosts: tuple[Text, ...] = ()
    channel_hosts: tuple[Text, ...] = ()
    tls: WebTlsSettings | None = None

    @field_validator("tokens")
    @classmethod
    def _differ(
        cls, tokens: tuple[TokenSettings, ...], info: ValidationInfo
    ) -> tuple[TokenSettings, ...]:
        known = {OPERATOR} if info.data.get("token") else set()
        for number, one in enumerate(tokens):
            if one.id in known:
                message = f"'{one.id}' is taken"
                hint = f"{OPERATOR} is the id of web.token" if one.id == OPERATOR else ""
                raise mistake(message, hint, (number, "id"))
            known.add(one.id)
        return tokens

    @field_validator("listen")
    @classmethod
    def _is_guarded(cls, listen: str | None, info: ValidationInfo) -> str | None:
        if listen is None or "${" in listen or is_loopback(split_address(listen)[0]):
            return listen
        if "tokens" in info.data and not (info.data.get("token") or info.data["tokens"]):
            host = split_address(listen)[0]
            message = f"'{host}' can be reached from other machines, and there are no access tokens"
            raise mistake(message, "give web.token or web.tokens, or listen on 127.0.0.1")
        return listen

    @property
    def page_url(self) -> str:
        """Where people open the pages; empty where nobody can know."""
        if self.url is not None:
            return self.url.rstrip("/")
        if self.listen is None or self.listen.endswith(":0") or self.listen.startswith(_EVERYWHERE):
            return ""
        return f"http{'' if self.tls is None else 's'}://{self.listen}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names under which a proxy may ask: those of ``hosts``, and that of ``url``."""
        named = urlsplit(self.url or "").hostname
        return self.hosts if named is None else (*self.hosts, named)

    @property
    def host(self) -> str:
        """The host of ``listen``."""
        return "" if self.listen is None else split_address(self.listen)[0]

    @property
    def is_local(self) -> bool:
        """True when only this machine can reach the server."""
        return self.listen is None or is_loopback(self.host)

    @property
    def lets_anyone_read(self) -> bool:
        """True when reading needs no token; by default only on this machine."""
        return self.is_local if self.anonymous_read is None else self.anonymous_read

    @property
    def callers(self) -> tuple[TokenSettings, ...]:
        """Everyone who has a token, the holder of ``web.token`` first."""
        if self.token is None:
            return self.tokens
        return (TokenSettings(id=OPERATOR, secret=self.token, role="write"), *self.tokens)
