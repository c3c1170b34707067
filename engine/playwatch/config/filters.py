"""What every channel can be asked: which incidents it takes, and how it tells them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from playwatch.config.bounds import SeverityWord  # noqa: TC001 - pydantic reads it
from playwatch.config.fields import Choice, Dimension, Flag, Strict, mistake, reading
from playwatch.config.matching import Pattern, PatternField, read_pattern, write_pattern
from playwatch.config.rates import RateLimit  # noqa: TC001 - pydantic reads it
from playwatch.config.rules import Name  # noqa: TC001 - pydantic reads it

# Not written: follows from the types. No value of the field's own type.
_AS_TYPES: Final[Any] = None
_WILDCARDS: Final = frozenset("*?[")


def _with_all(value: object, info: ValidationInfo) -> object:
    """Read the default: a channel that takes everything takes self-alerts too."""
    return info.data.get("alert_types", "all") == "all" if value is None else value


def _without_default(schema: dict[str, object]) -> None:
    schema.pop("default", None)


def _names(value: object) -> Pattern:
    pattern = read_pattern(value)
    if pattern.must_be_missing:
        message = "null names nothing"
        raise mistake(message, "leave the key out to take all of them")
    return pattern


def _known_metrics(pattern: Pattern, info: ValidationInfo) -> Pattern:
    """Return the pattern by the keys of the catalogue; a wrong one is a mistake."""
    return Pattern(
        tuple(_metric(key, info) for key in pattern.include),
        tuple(_metric(key, info) for key in pattern.exclude),
    )


def _metric(key: str, info: ValidationInfo) -> str:
    if not _WILDCARDS.isdisjoint(key):
        return key if "[" in key else key.replace("-", "_")
    known = reading(info)
    if metric := known.catalogue.find(key):
        return metric.key
    if key.replace("-", "_") in known.doubtful:
        return key
    near = known.catalogue.suggest(key)
    message = f"'{key}' is not a known metric"
    raise mistake(message, f"did you mean {near}?" if near else "add it under metrics")


AlertTypes = Annotated[Literal["anomaly", "threshold", "all"], Choice]
"""Which incidents of rules a channel is told about."""

SelfAlerts = Annotated[
    Flag,
    BeforeValidator(_with_all),
    Field(validate_default=True, json_schema_extra=_without_default),
]
"""Whether a channel is told of the engine's own troubles; as ``alert_types: all`` by default."""

_NAMES_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
)
RuleNames = Annotated[
    Pattern, PlainValidator(_names), PlainSerializer(write_pattern), _NAMES_SCHEMA
]
"""Names of rules: texts with ``*``, ``?`` and a leading ``!`` for all but."""
MetricKeys = Annotated[
    Pattern,
    PlainValidator(_names),
    AfterValidator(_known_metrics),
    PlainSerializer(write_pattern),
    _NAMES_SCHEMA,
]
"""Keys of metrics, written as the names of rules are."""


class ChannelFields(Strict):
    """What channels of every service have in common.

    The filters are asked when an incident opens and when it rises. A channel
    that was told once is told of the end, whatever they say by then.

    Attributes
    ----------
    min_severity
        The least severity that is told.
    rules, metrics
        Whose incidents; None for all.
    where
        What the dimensions of the incident's group must be. Only the
        dimensions in the rule's ``by`` are known of an incident.
    self_alerts
        Whether the engine's own troubles are told; no filter holds them back.
    severity_map
        The severity to send in the place of an incident's own.
    send_resolved
        Whether the end is told.
    rate_limit
        How many messages in any minute; the gravest first when more wait.
    rollup
        Whether one incident stands for those that would wait for over a minute.
    """

    name: Name
    service: str
    alert_types: AlertTypes = "all"
    min_severity: SeverityWord = "info"
    rules: RuleNames | None = None
    metrics: MetricKeys | None = None
    where: dict[Dimension, PatternField] = Field(default_factory=dict)
    self_alerts: SelfAlerts = Field(default=_AS_TYPES)
    severity_map: dict[SeverityWord, SeverityWord] = Field(default_factory=dict)
    send_resolved: Flag = True
    rate_limit: RateLimit = None
    rollup: Annotated[Literal["on", "off"], Choice] = "on"

    @property
    def rolls_up(self) -> bool:
        """Whether a storm beyond the limit is told by a roll-up.

        Where ends are not told, nobody would learn that a roll-up is over.
        """
        return self.rollup == "on" and self.send_resolved

    @property
    def key(self) -> str:
        """The secret that says where deliveries go; empty for a service without one.

        Its fingerprint stands in every delivery, and only the ring of keys
        holds the text itself.
        """
        return ""
