"""Channels as people write them: one class per service, and one line in the union."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr

from playwatch.config.fields import Choice, Scalar, mistake
from playwatch.config.filters import ChannelFields
from playwatch.config.hooks import SlackSettings, WebhookSettings
from playwatch.config.links import WebUrl  # noqa: TC001 - pydantic reads it
from playwatch.config.rates import RateLimit  # noqa: TC001 - pydantic reads it

_INTEGRATION_KEY: Final = re.compile(r"[A-Za-z0-9]{32}")
_API_KEY_LENGTH: Final = 20


def _integration_key(value: object) -> object:
    """Return a key without the white space round it; no words ever hold it."""
    if isinstance(value, Scalar) and value.missing:
        return str(value)
    if not isinstance(value, str):
        return value
    key = value.strip()
    if not _INTEGRATION_KEY.fullmatch(key):
        message = "is not an integration key: that has 32 letters and digits"
        hint = "copy it from the service's Events API v2 integration"
        if len(key) == _API_KEY_LENGTH:
            hint = "that looks like a REST API key; use the Events API v2 integration key"
        raise mistake(message, hint)
    return str(key)


def _last_four(key: SecretStr) -> str:
    """Return what may be shown of a key; the variable itself where it is not set."""
    shown = key.get_secret_value()
    return shown if shown.startswith("${") else f"****{shown[-4:]}"


IntegrationKey = Annotated[
    SecretStr, BeforeValidator(_integration_key), PlainSerializer(_last_four)
]
"""A PagerDuty Events API v2 key; shown by its last four characters only."""


class PagerDutySettings(ChannelFields):
    """A PagerDuty service or event orchestration."""

    model_config = ConfigDict(title="PagerDuty channel")

    service: Literal["pagerduty"]
    integration_key: IntegrationKey
    region: Annotated[Literal["us", "eu"], Choice] = "us"
    url: WebUrl | None = None
    rate_limit: RateLimit = 100

    @property
    def key(self) -> str:
        """The integration key."""
        return self.integration_key.get_secret_value().strip()


class ConsoleSettings(ChannelFields):
    """The standard output of the engine."""

    model_config = ConfigDict(title="Console channel")

    service: Literal["console"]


ChannelSettings = Annotated[
    PagerDutySettings | WebhookSettings | SlackSettings | ConsoleSettings,
    Field(discriminator="service"),
]
"""Every service that there is."""
