"""What may stand in a configuration file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Strict(BaseModel):
    """A mapping whose every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TlsSettings(Strict):
    """How an encrypted connection is checked. Certificates are always verified."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class SubscriptionSettings(Strict):
    """One topic filter and how its payloads are read."""

    topic: str
    codec: Literal["native"] = "native"
    qos: Literal[0, 1] = 1


class MqttSettings(Strict):
    """The broker that samples come from."""

    url: str | None = None
    embedded: bool = False
    listen: str = "127.0.0.1:1883"
    username: str | None = None
    password: SecretStr | None = None
    client_id: str | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive_s: float = 30.0
    session_expiry_s: float = 3600.0
    backlog: int = Field(default=100_000, ge=1)
    tls: TlsSettings = TlsSettings()
    subscriptions: tuple[SubscriptionSettings, ...] = (
        SubscriptionSettings(topic="playwatch/samples/#"),
    )


class PagerDutySettings(Strict):
    """A PagerDuty service or event orchestration."""

    name: str
    service: Literal["pagerduty"]
    integration_key: SecretStr
    alert_types: Literal["anomaly", "threshold", "all"] = "all"
    region: Literal["us", "eu"] = "us"
    url: str | None = None


class ConsoleSettings(Strict):
    """The standard output of the engine."""

    name: str
    service: Literal["console"]
    alert_types: Literal["anomaly", "threshold", "all"] = "all"
