"""Which channel is told of what, from the settings alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.config.anomalies import everything_listed
from playwatch.core.incidents import Incident, Status
from playwatch.core.routing import ALL_TYPES, ANY_METRIC, ANY_RULE, Route
from playwatch.core.rules import AlertType, Anomaly, Severity, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from playwatch.config.schema import ChannelSettings, Settings
    from playwatch.core.rules import Rule

_WILDCARDS: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Listener:
    """What one channel does with the incidents of one rule.

    Attributes
    ----------
    rule, alert_type
        Where the incident comes from.
    channel, service
        The channel, and what it speaks to.
    is_told
        Whether it would be told.
    reason
        Which setting keeps it from being told; empty when none does.
    """

    rule: str
    alert_type: str
    channel: str
    service: str
    is_told: bool
    reason: str


def route_of(channel: ChannelSettings, key_fingerprint: str = "") -> Route:
    """Return which incidents of rules a channel takes."""
    types = ALL_TYPES if channel.alert_types == "all" else {AlertType(channel.alert_types)}
    return Route(
        channel.name,
        key_fingerprint,
        frozenset(types),
        min_severity=Severity[channel.min_severity.upper()],
        rules=channel.rules.matcher("rule") if channel.rules else ANY_RULE,
        metrics=channel.metrics.matcher("metric") if channel.metrics else ANY_METRIC,
        where=tuple(pattern.matcher(name) for name, pattern in channel.where.items()),
        sends_resolves=channel.send_resolved,
    )


def self_alert_route_of(channel: ChannelSettings, key_fingerprint: str = "") -> Route | None:
    """Return the route of what the engine says of itself; None when it is not told.

    No filter holds these back.
    """
    if not channel.self_alerts:
        return None
    return Route(channel.name, key_fingerprint, sends_resolves=channel.send_resolved)


def refusal(channel: ChannelSettings, incident: Incident) -> str:
    """Return the setting that keeps an incident from a channel; empty for none."""
    route = route_of(channel)
    group = {name: value for name, value in incident.breakdowns if value}
    if incident.alert_type not in route.alert_types:
        return f"alert_types: {channel.alert_types}"
    if incident.severity < route.min_severity:
        return f"min_severity: {channel.min_severity}"
    if not route.rules.matches({"rule": incident.rule}):
        return "rules"
    if not route.metrics.matches({"metric": incident.measurement}):
        return "metrics"
    refused = [each.dimension for each in route.where if not each.matches(group)]
    return f"where: {', '.join(refused)}" if refused else ""


def may_take(channel: ChannelSettings, rule: Rule) -> bool:
    """Return whether a channel takes any incident that a rule could open."""
    group = tuple((name, value) for name in rule.by if (value := _only_value(rule, name)))
    said = refusal(channel, specimen(rule, _gravest(rule), dict(group)))
    kind, _, names = said.partition(": ")
    if kind != "where":
        return not said
    return all(may_know(rule, name) and name not in dict(group) for name in names.split(", "))


def may_know(rule: Rule, dimension: str) -> bool:
    """Return whether an incident of a rule can have a dimension that a channel's filter sees."""
    if isinstance(rule.condition, Anomaly) and rule.condition.groupings is None:
        return True
    return dimension in rule.by


def listeners(
    channels: Iterable[ChannelSettings],
    rule: Rule,
    severity: Severity | None = None,
    dimensions: Mapping[str, str] | None = None,
) -> list[Listener]:
    """Return, for every channel, whether it would be told of an incident of a rule.

    Parameters
    ----------
    severity
        How bad; the gravest of the rule by default.
    dimensions
        What is known of its group; those that the rule does not group by are
        not known of an incident, and do not count.
    """
    dimensions = dimensions or {}
    group = {name: dimensions[name] for name in rule.by if name in dimensions}
    incident = specimen(rule, _gravest(rule) if severity is None else severity, group)
    found = []
    for channel in channels:
        said = refusal(channel, incident)
        is_told = not said
        found.append(
            Listener(rule.name, rule.alert_type.value, channel.name, channel.service, is_told, said)
        )
    return found


def self_listeners(channels: Iterable[ChannelSettings]) -> list[Listener]:
    """Return, for every channel, whether it is told of the engine's own troubles."""
    return [
        Listener(
            "playwatch/*",
            AlertType.ENGINE.value,
            channel.name,
            channel.service,
            channel.self_alerts,
            "" if channel.self_alerts else "self_alerts: false",
        )
        for channel in channels
    ]


def watching(settings: Settings, dimensions: Mapping[str, str]) -> list[Rule]:
    """Return the rules that may count series with these dimensions, whatever their metric.

    What is not said of a series may be anything.
    """
    return [
        rule
        for rule in everything_listed(settings)
        if all(
            matcher.matches(dimensions) for matcher in rule.where if matcher.dimension in dimensions
        )
    ]


def specimen(rule: Rule, severity: Severity, group: Mapping[str, str]) -> Incident:
    """Return an incident of a rule that never was, to hold against the routes."""
    return Incident(
        id="",
        incident_key="",
        rule=rule.name,
        scope="",
        alert_type=rule.alert_type,
        status=Status.OPEN,
        severity=severity,
        measurement=rule.metric,
        unit="",
        breakdowns=tuple(group.items()),
        measured_value=0.0,
        peak_value=0.0,
        threshold=0.0,
        bound="",
        sample_size=0,
        affected_viewers=0,
        started_at=0,
        opened_at=0,
        window_s=0.0,
    )


def _gravest(rule: Rule) -> Severity:
    if isinstance(rule.condition, Threshold):
        return rule.condition.tiers[-1].severity
    return Severity.CRITICAL


def _only_value(rule: Rule, dimension: str) -> str:
    """Return the one value that ``where`` leaves to a dimension; empty for any other case."""
    for matcher in rule.where:
        if matcher.dimension == dimension and len(matcher.include) == 1:
            (value,) = matcher.include
            return value if _WILDCARDS.isdisjoint(value) else ""
    return ""
