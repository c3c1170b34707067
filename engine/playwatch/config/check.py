"""Findings: what the schema accepts and an operator still wants to hear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from playwatch.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwatch.config.schema import Settings


def findings(settings: Settings) -> list[Problem]:
    """Return what is certainly not meant, in the order of the files.

    None of it keeps an engine from starting.
    """
    found = [
        *_empty(settings),
        *_deaf_channels(settings),
        *_same_rules(settings),
        *_impossible_rules(settings),
        *_absent_files(settings),
    ]
    return sorted(found, key=lambda p: (p.file, p.line, p.column, p.message))


def _finding(settings: Settings, kind: str, name: str, message: str, hint: str = "") -> Problem:
    file, line, column = settings.origin(kind, name)
    return Problem(file, line, column, f"{kind} {name}".strip() if name else "", message, hint)


def _empty(settings: Settings) -> Iterator[Problem]:
    if not settings.rules:
        yield _finding(settings, "file", "", "there are no rules: no incident will ever open")
    if not settings.channels:
        yield _finding(settings, "file", "", "there are no channels: nobody is told of an incident")


def _deaf_channels(settings: Settings) -> Iterator[Problem]:
    raised = {rule.core_rule().alert_type.value for rule in settings.rules}
    for channel in settings.channels:
        if settings.rules and channel.alert_types != "all" and channel.alert_types not in raised:
            yield _finding(
                settings,
                "channel",
                channel.name,
                f"takes {channel.alert_types} incidents only, and no rule raises one",
                "write alert_types: all",
            )


def _same_rules(settings: Settings) -> Iterator[Problem]:
    seen: dict[object, str] = {}
    for rule in settings.core_rules():
        where = frozenset(rule.where)
        what = (rule.metric, where, frozenset(rule.by), rule.window_s, rule.condition, rule.for_s)
        if what in seen:
            yield _finding(
                settings,
                "rule",
                rule.name,
                f"opens the same incidents as rule {seen[what]}",
                "remove one of them",
            )
        seen.setdefault(what, rule.name)


def _impossible_rules(settings: Settings) -> Iterator[Problem]:
    for rule in settings.core_rules():
        for matcher in rule.where:
            plain = [item for item in matcher.include if not set(item) & set("*?[")]
            refused = [item for item in plain if not matcher.matches({matcher.dimension: item})]
            if matcher.include and len(refused) == len(matcher.include):
                message = f"matches no series: where excludes every {matcher.dimension} it asks for"
                yield _finding(settings, "rule", rule.name, message)
            if matcher.must_be_missing and matcher.dimension in rule.by:
                message = f"groups by {matcher.dimension}, which where says must be missing"
                yield _finding(settings, "rule", rule.name, message, "leave it out of by")


def _absent_files(settings: Settings) -> Iterator[Problem]:
    tls = settings.mqtt.tls
    for key, file in (
        ("ca_file", tls.ca_file),
        ("cert_file", tls.cert_file),
        ("key_file", tls.key_file),
    ):
        if file and not Path(file).is_file():
            yield _finding(settings, "file", "", f"mqtt.tls.{key}: there is no file {file}")
