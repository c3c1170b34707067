"""Channels as people write them: one class per service, and one line in the union."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
)

from playwatch.config.fields import Choice, Scalar, Strict, Text, mistake
from playwatch.config.rules import Name, web_url

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


AlertTypes = Annotated[Literal["anomaly", "threshold", "all"], Choice]
"""Which incidents a channel is told about."""

IntegrationKey = Annotated[
    SecretStr, BeforeValidator(_integration_key), PlainSerializer(_last_four)
]
"""A PagerDuty Events API v2 key; shown by its last four characters only."""


class PagerDutySettings(Strict):
    """A PagerDuty service or event orchestration."""

    model_config = ConfigDict(title="PagerDuty channel")

    name: Name
    service: Literal["pagerduty"]
    integration_key: IntegrationKey
    alert_types: AlertTypes = "all"
    region: Annotated[Literal["us", "eu"], Choice] = "us"
    url: Annotated[Text, AfterValidator(web_url)] | None = None


class ConsoleSettings(Strict):
    """The standard output of the engine."""

    model_config = ConfigDict(title="Console channel")

    name: Name
    service: Literal["console"]
    alert_types: AlertTypes = "all"


ChannelSettings = Annotated[
    PagerDutySettings | ConsoleSettings,
    Field(discriminator="service"),
]
"""Every service that there is."""
