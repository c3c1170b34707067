"""Findings: what the schema accepts and an operator still wants to hear."""

from __future__ import annotations

import difflib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwatch.config.anomalies import everything_watched, everything_written
from playwatch.config.quantities import format_duration
from playwatch.config.routes import may_know, may_take
from playwatch.core.rules import NoDataPolicy, Severity, Threshold
from playwatch.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playwatch.config.channels import ChannelSettings
    from playwatch.config.matching import Pattern
    from playwatch.config.schema import Settings
    from playwatch.core.metrics import Metric
    from playwatch.core.rules import Rule

Finding = tuple[str, str]
"""What is wrong with a rule, and a way out."""

_WILDCARDS: Final = frozenset("*?[")


def findings(settings: Settings) -> list[Problem]:
    """Return what is certainly not meant, in the order of the files.

    None of it keeps an engine from starting.
    """
    metric_of = settings.catalogue().find
    found = [
        *_empty(settings),
        *_deaf_channels(settings),
        *_blind_filters(settings),
        *_same_channels(settings),
        *_unheard(settings),
        *_same_rules(settings),
        *_idle_windows(settings),
        *(
            _finding(settings, "rule", rule.name, message, hint)
            for rule in everything_written(settings)
            for message, hint in (
                *_contradictions(rule),
                *_never(rule, metric_of(rule.metric)),
            )
        ),
        *_absent_files(settings),
    ]
    return sorted(found, key=lambda p: (p.file, p.line, p.column, p.message))


def _finding(settings: Settings, kind: str, name: str, message: str, hint: str = "") -> Problem:
    file, line, column = settings.origin(kind, name)
    return Problem(file, line, column, f"{kind} {name}".strip() if name else "", message, hint)


def _empty(settings: Settings) -> Iterator[Problem]:
    if not everything_watched(settings):
        message = "there are no rules: no incident will ever open"
        yield _finding(settings, "file", "", message, "write rules, or name files in rule_files")
    if not settings.channels:
        message = "there are no channels: nobody is told of an incident"
        hint = "channels: [{name: terminal, service: console}] prints them"
        yield _finding(settings, "file", "", message, hint)


def _deaf_channels(settings: Settings) -> Iterator[Problem]:
    rules = everything_watched(settings)
    for channel in settings.channels:
        if not rules or any(may_take(channel, rule) for rule in rules):
            continue
        if any(pattern.include for _, pattern in _blind(channel, rules)):
            continue  # which says more
        raised = {rule.alert_type.value for rule in rules}
        if channel.alert_types != "all" and channel.alert_types not in raised:
            message = f"takes {channel.alert_types} incidents only, and no rule raises one"
            yield _finding(settings, "channel", channel.name, message, "write alert_types: all")
        else:
            message = "takes no incident that a rule can raise"
            hint = "see its filters, and playwatch config routes"
            yield _finding(settings, "channel", channel.name, message, hint)


def _blind_filters(settings: Settings) -> Iterator[Problem]:
    """Find filters of channels over dimensions that no incident for them has."""
    rules = everything_watched(settings)
    for channel in settings.channels if rules else ():
        for name, pattern in _blind(channel, rules):
            effect = "it holds nothing back"
            if pattern.include:
                effect = "it lets nothing pass"
            message = f"where filters by {name}, which no rule that it hears groups by: {effect}"
            hint = f"write {name} into the by of a rule, or take it out of the filter"
            yield _finding(settings, "channel", channel.name, message, hint)


def _blind(channel: ChannelSettings, rules: Iterable[Rule]) -> list[tuple[str, Pattern]]:
    """Return the filters of a channel over dimensions that no incident for it has."""
    types = {channel.alert_types} if channel.alert_types != "all" else {"anomaly", "threshold"}
    heard = [rule for rule in rules if rule.alert_type.value in types]
    return [
        (name, pattern)
        for name, pattern in channel.where.items()
        if heard and not any(may_know(rule, name) for rule in heard)
    ]


def _same_channels(settings: Settings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for channel in settings.channels:
        what = repr((channel.model_dump(mode="json", exclude={"name"}), channel.key))
        if what in seen:
            message = f"says everything that channel {seen[what]} says, at the same place"
            yield _finding(settings, "channel", channel.name, message, "remove one of them")
        seen.setdefault(what, channel.name)


def _unheard(settings: Settings) -> Iterator[Problem]:
    """Find what nobody is told of: rules, and the troubles of the engine itself."""
    channels, rules = settings.channels, everything_written(settings)
    if not channels:
        return
    heard = {rule.name for rule in rules if any(may_take(channel, rule) for channel in channels)}
    for rule in rules:
        # Where none is heard, the channels say so themselves.
        if heard and rule.name not in heard:
            message = "no channel takes its incidents: nobody is told"
            yield _finding(settings, "rule", rule.name, message, "see playwatch config routes")
    if not any(channel.self_alerts for channel in channels):
        message = "no channel is told when the engine itself is in trouble"
        hint = "write self_alerts: true at one of them"
        yield _finding(settings, "channel", channels[0].name, message, hint)


def _same_rules(settings: Settings) -> Iterator[Problem]:
    seen: dict[object, str] = {}
    for rule in everything_written(settings):
        bare = replace(rule, name="", where=(), by=(), summary="", runbook="", resolve_for_s=0.0)
        what = (frozenset(rule.where), frozenset(rule.by), bare)
        if what in seen:
            message = f"opens the same incidents as rule {seen[what]}"
            yield _finding(settings, "rule", rule.name, message, "remove one of them")
        seen.setdefault(what, rule.name)


def _idle_windows(settings: Settings) -> Iterator[Problem]:
    """Find mute windows that no incident of a rule can match."""
    rules = everything_watched(settings)
    known = {
        "rule": {rule.name for rule in rules},
        "metric": {rule.metric for rule in rules},
        "alert_type": {rule.alert_type.value for rule in rules},
        "severity": {severity.word for severity in Severity},
    }
    for window in settings.mute if rules else ():
        for name, pattern in window.where.items():
            values = known.get(name)
            matcher = pattern.matcher(name)
            if values and not any(matcher.matches({name: value}) for value in values):
                near = difflib.get_close_matches("".join(matcher.include[:1]), values, n=1)
                hint = (
                    f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(values))}"
                )
                message = f"mutes nothing: no rule raises an incident with such a {name}"
                yield _finding(settings, "mute window", window.name, message, hint)


def _contradictions(rule: Rule) -> Iterator[Finding]:
    """Find what ``where`` asks for and refuses at once."""
    for matcher in rule.where:
        name = matcher.dimension
        refused = [
            item
            for item in matcher.include
            if item in matcher.exclude
            or "*" in matcher.exclude
            or (not set(item) & _WILDCARDS and not matcher.matches({name: item}))
        ]
        if refused and len(refused) == len(matcher.include):
            message = f"matches no series: where excludes every {name} it asks for"
            yield message, "remove what is excluded, or the exclusion"
        elif refused:
            yield f"where asks for {name} {refused[0]} and excludes it", "remove one of the two"
        if matcher.must_be_missing and name in rule.by:
            yield f"groups by {name}, which where says must be missing", "leave it out of by"


def _never(rule: Rule, metric: Metric | None) -> Iterator[Finding]:
    """Find what a rule promises and cannot keep."""
    if rule.no_data.policy is NoDataPolicy.RESOLVE and rule.no_data.after_s > rule.expire_after_s:
        yield (
            "no_data never resolves: an incident without data expires before",
            f"write an after shorter than {format_duration(rule.expire_after_s)}",
        )
    if not isinstance(rule.condition, Threshold):
        return
    yield from _hidden_tiers(rule.condition)
    if metric and metric.measures_audience:
        yield from _too_few_viewers(rule, rule.condition)


def _hidden_tiers(threshold: Threshold) -> Iterator[Finding]:
    for lower, upper in pairwise(threshold.tiers):
        if lower.limit == upper.limit:
            yield (
                f"{lower.severity.word} is never seen: {upper.severity.word} has the same bound",
                "remove it, or let it begin earlier",
            )


def _too_few_viewers(rule: Rule, threshold: Threshold) -> Iterator[Finding]:
    """Find bounds on viewers that lie below ``min_views``, which compares the same number."""
    resolve = threshold.resolve
    fewer = f"fewer than min_views {rule.min_views} viewers"
    hint = "for viewers, min_views compares the value itself: leave it out"
    if threshold.comparison.is_upward:
        if not resolve.comparison.holds(rule.min_views, resolve.limit):
            yield f"can never resolve: {fewer} resolve nothing", hint
        return
    for tier in threshold.tiers:
        if not threshold.comparison.holds(rule.min_views, tier.limit):
            yield f"{tier.severity.word} can never fire: {fewer} open nothing", hint


def _absent_files(settings: Settings) -> Iterator[Problem]:
    tls = settings.mqtt.tls
    for key, file in (
        ("ca_file", tls.ca_file),
        ("cert_file", tls.cert_file),
        ("key_file", tls.key_file),
    ):
        if file and not Path(file).is_file():
            hint = "a relative path starts at the folder of the configuration"
            yield _finding(settings, "file", "", f"mqtt.tls.{key}: there is no file {file}", hint)
