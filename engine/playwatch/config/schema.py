"""What may stand in a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from playwatch.config.addresses import Loopback  # noqa: TC001 - pydantic reads it
from playwatch.config.anomalies import AnomalySettings  # noqa: TC001 - pydantic reads it
from playwatch.config.budget import Budget  # noqa: TC001 - the same
from playwatch.config.channels import ChannelSettings, ConsoleSettings, PagerDutySettings
from playwatch.config.fields import (
    Choice,
    FilePath,
    FilePathText,
    Flag,
    Scalar,
    Seconds,
    Secret,
    Size,
    Strict,
    Text,
    Whole,
    mistake,
)
from playwatch.config.heartbeat import HeartbeatSettings  # noqa: TC001 - pydantic reads it
from playwatch.config.measures import MetricSettings
from playwatch.config.mute import MuteSettings
from playwatch.config.quiet import QuietField  # noqa: TC001 - pydantic reads it
from playwatch.config.retention import RetentionSettings
from playwatch.config.rules import RuleSettings
from playwatch.config.topics import check_broker_url, check_topic_filter
from playwatch.config.web import WebSettings
from playwatch.core.metrics import Catalogue

if TYPE_CHECKING:
    from playwatch.core.rules import Rule
    from playwatch.core.silences import MuteWindow

__all__ = [
    "ChannelSettings",
    "ConsoleSettings",
    "LimitSettings",
    "MetricSettings",
    "MqttSettings",
    "MuteSettings",
    "PagerDutySettings",
    "RetentionSettings",
    "RuleSettings",
    "Settings",
    "StoreSettings",
    "Strict",
    "SubscriptionSettings",
    "TlsSettings",
    "WebSettings",
]


class TlsSettings(Strict):
    """How an encrypted connection is checked. Certificates are always verified."""

    ca_file: FilePathText | None = None
    cert_file: FilePathText | None = None
    key_file: FilePathText | None = None

    @field_validator("key_file")
    @classmethod
    def _has_certificate(cls, key_file: str | None, info: ValidationInfo) -> str | None:
        if key_file and not info.data.get("cert_file", True):
            message = "a key without a certificate"
            raise mistake(message, "name its certificate in cert_file")
        return key_file


class SubscriptionSettings(Strict):
    """One topic filter and how its payloads are read."""

    topic: Text
    codec: Annotated[Literal["native", "packed"], Choice] = "native"
    qos: Literal[0, 1] = 1
    quiet_after: QuietField = "auto"

    @field_validator("topic")
    @classmethod
    def _is_filter(cls, topic: str) -> str:
        check_topic_filter(topic)
        return topic

    @field_validator("qos", mode="before")
    @classmethod
    def _as_number(cls, value: object) -> object:
        return int(value) if isinstance(value, Scalar) and value in {"0", "1"} else value


class MqttSettings(Strict):
    """The broker that samples come from.

    The order of the fields matters: a field is checked against those above it.
    """

    url: Text | None = None
    embedded: Flag = Field(default=False, validate_default=True)
    listen: Loopback = "127.0.0.1:1883"
    username: Text | None = None
    password: Secret | None = None
    client_id: Text | None = None
    protocol: Annotated[Literal["5", "3.1.1"], Choice] = "5"
    keepalive_s: Seconds = Field(
        default=30.0, ge=1, le=65_535, validation_alias="keepalive", serialization_alias="keepalive"
    )
    session_expiry_s: Seconds = Field(
        default=3600.0,
        ge=0,
        le=0xFFFF_FFFE,
        validation_alias="session_expiry",
        serialization_alias="session_expiry",
    )
    backlog: Whole = Field(default=100_000, ge=1)
    tls: TlsSettings = TlsSettings()
    subscriptions: tuple[SubscriptionSettings, ...] = Field(
        default=(SubscriptionSettings(topic="playwatch/samples/#"),)
    )

    @field_validator("url", mode="before")
    @classmethod
    def _is_broker(cls, url: object) -> object:
        if isinstance(url, str) and not (isinstance(url, Scalar) and url.missing):
            check_broker_url(url)
        return url

    @field_validator("embedded")
    @classmethod
    def _is_the_one(cls, embedded: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - a field
        if "url" in info.data and embedded == (info.data["url"] is not None):
            message = "url and embedded exclude each other" if embedded else "no broker is named"
            raise mistake(message, "give the broker's url, or embedded: true")
        return embedded

    @field_validator("listen")
    @classmethod
    def _is_ours(cls, listen: str, info: ValidationInfo) -> str:
        if not info.data.get("embedded", True):
            message = "only the embedded broker listens"
            raise mistake(message, "give embedded: true in place of url, or leave listen out")
        return listen

    @field_validator("tls")
    @classmethod
    def _is_used(cls, tls: TlsSettings, info: ValidationInfo) -> TlsSettings:
        url = info.data.get("url")
        if "url" in info.data and not (url or "").startswith(("mqtts:", "${")):
            message = "has no effect: the connection is not encrypted"
            raise mistake(message, "write mqtts:// in url")
        return tls

    @field_validator("subscriptions")
    @classmethod
    def _are_usable(
        cls, subscriptions: tuple[SubscriptionSettings, ...]
    ) -> tuple[SubscriptionSettings, ...]:
        if not subscriptions:
            message = "names no topic"
            raise mistake(message, "leave it out to read playwatch/samples/#")
        topics = [subscription.topic for subscription in subscriptions]
        for number, topic in enumerate(topics):
            if topic in topics[:number]:
                message = f"'{topic}' is subscribed to twice"
                raise mistake(message, "", (number, "topic"))
        return subscriptions


class StoreSettings(Strict):
    """Where incidents and deliveries are kept, and for how long."""

    path: FilePath = Field(default=Path("playwatch.db"), validate_default=True)
    retention: RetentionSettings = RetentionSettings()

    @property
    def history_path(self) -> Path:
        """The file of the history, beside the store."""
        return self.path.with_name(f"{self.path.stem}-history.db")


class LimitSettings(Strict):
    """What the engine takes before it refuses."""

    series_per_metric: Whole = Field(default=200_000, ge=1)
    max_age_s: Seconds = Field(
        default=3600.0,
        ge=1,
        le=7 * 86_400,
        validation_alias="max_age",
        serialization_alias="max_age",
    )
    max_payload_bytes: Size = Field(
        default=4 << 20,
        ge=1,
        le=256 << 20,
        validation_alias="max_payload",
        serialization_alias="max_payload",
    )


class Settings(Strict):
    """A whole configuration: the main file with its rule files."""

    mqtt: MqttSettings
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    heartbeat: HeartbeatSettings | None = None
    limits: LimitSettings = LimitSettings()
    metrics: tuple[MetricSettings, ...] = ()
    rules: tuple[RuleSettings, ...] = ()
    rule_files: tuple[Text, ...] = ()
    anomalies: tuple[AnomalySettings, ...] | None = None
    fleet_budget: Budget | None = None
    mute: tuple[MuteSettings, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()

    # (kind, name) to file, line and column, as the reader found them.
    _origins: dict[tuple[str, str], tuple[str, int, int]] = PrivateAttr(default_factory=dict)

    def remember_origins(self, origins: dict[tuple[str, str], tuple[str, int, int]]) -> None:
        """Keep where each rule, channel and metric is named, for findings."""
        self._origins.update(origins)

    def origin(self, kind: str, name: str = "") -> tuple[str, int, int]:
        """Return file, line and column where something is named."""
        return self._origins.get((kind, name), ("", 1, 1))

    def catalogue(self) -> Catalogue:
        """Return the metrics that this installation knows."""
        return Catalogue(metric.core_metric() for metric in self.metrics)

    def core_rules(self) -> tuple[Rule, ...]:
        """Return the rules as the core takes them, in the order of the files."""
        return tuple(rule.core_rule() for rule in self.rules)

    def mute_windows(self) -> tuple[MuteWindow, ...]:
        """Return the mute windows as the core takes them."""
        return tuple(window.core_window() for window in self.mute)


class RuleFile(Strict):
    """A file that `rule_files` names."""

    rules: tuple[RuleSettings, ...] = ()
