"""Reads files of rule tests: the rules they name, the tests, all mistakes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.config.fields import Reading, Scalar
from playwatch.config.files import (
    expand,
    items,
    parsed,
    problems_of,
    reading_of,
    rule_files,
    validated,
)
from playwatch.config.load import load_config
from playwatch.config.routes import route_of
from playwatch.config.scenarios.naming import check_names
from playwatch.config.scenarios.schema import ScenarioFile
from playwatch.config.schema import RuleFile
from playwatch.config.secrets import Environment
from playwatch.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from playwatch.config.anomalies import AnomalySettings
    from playwatch.config.document import Document
    from playwatch.config.document import Path as KeyPath
    from playwatch.config.rules import RuleSettings
    from playwatch.config.scenarios.schema import Scenario
    from playwatch.config.schema import ChannelSettings
    from playwatch.core.metrics import Catalogue
    from playwatch.core.routing import Route
    from playwatch.core.rules import Rule
    from playwatch.core.silences import MuteWindow

_ANY_KEY: Final = Scalar("0" * 32)
_WITH_CONFIG: Final = ("rule_files", "metrics", "rules", "anomalies", "channels", "mute")


@dataclass(frozen=True, slots=True)
class Suite:
    """What one file of rule tests asks for.

    Attributes
    ----------
    file
        The name by which the operator knows it.
    interval_s, start
        Of tests that do not say: seconds, and milliseconds since the epoch.
    lines
        The line where each test begins, and each of its checks, by path.
    """

    file: str
    catalogue: Catalogue
    rules: tuple[Rule, ...]
    routes: tuple[Route, ...]
    mute: tuple[MuteWindow, ...]
    interval_s: float
    start: int
    scenarios: tuple[Scenario, ...]
    lines: Mapping[KeyPath, int]


def load_suite(path: Path, *, environ: Mapping[str, str]) -> Suite:
    """Return the tests of a file, with the rules that they are about.

    Secrets are not needed: unset variables and unreadable secret files pass.

    Raises
    ------
    ConfigError
        With every mistake of every file, in the order of the files and of the
        lines in each. No secret stands in it.
    """
    environment = Environment(environ, need_secrets=False)
    main = _read(path, environment)
    _fill_in_channels(main)
    base = _Base.of_config(main, path, environ) or _Base.of_files(main, path, environment)
    settings = validated(ScenarioFile, main, base.reading)
    documents = (main, *base.documents)
    is_whole = not (base.problems or any(document.problems for document in documents))
    rules, channels, anomalies = base.rules, base.channels, base.anomalies
    if settings:
        rules, channels = (*rules, *settings.rules), (*channels, *settings.channels)
        anomalies = (*anomalies, *settings.anomalies)
        # Without all rules, names would seem unknown.
        if is_whole:
            others = {rule.name for rule in base.rules}
            check_names(main, settings, (rules, anomalies), channels, others)
    problems = [*problems_of(documents, environment), *base.problems]
    if problems or settings is None:
        raise ConfigError(problems)
    return Suite(
        file=str(path),
        catalogue=base.reading.catalogue,
        rules=(
            *(rule.core_rule() for rule in rules),
            *(one.core_rule() for one in anomalies if one.enabled),
        ),
        routes=tuple(route_of(channel) for channel in channels),
        mute=(*base.mute, *(window.core_window() for window in settings.mute)),
        interval_s=settings.interval,
        start=settings.start,
        scenarios=settings.tests,
        lines={where: place.line for where, place in main.values.items()},
    )


@dataclass(frozen=True, slots=True)
class _Base:
    """What the tests stand on: the rules and channels of other files, and the metrics."""

    reading: Reading
    rules: tuple[RuleSettings, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()
    mute: tuple[MuteWindow, ...] = ()
    anomalies: tuple[AnomalySettings, ...] = ()
    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of_config(cls, main: Document, path: Path, environ: Mapping[str, str]) -> _Base | None:
        """Return the base that ``config`` names; None when the file has no such key."""
        named = main.value.get("config") if isinstance(main.value, dict) else None
        if not isinstance(named, Scalar) or not named or "\0" in named:
            return None
        for key in _WITH_CONFIG:
            if isinstance(main.value, dict) and key in main.value:
                main.complain((key,), "stands beside config", "keep one of the two", of_key=True)
        folder = path.parent.absolute()
        try:
            settings = load_config(path.parent / named, environ=environ, need_secrets=False)
        except ConfigError as error:
            return cls(Reading(folder), problems=tuple(error.problems))
        reading = Reading(folder, settings.catalogue())
        # What is watched without being asked for needs a warm-up that no test has.
        written = settings.anomalies or ()
        return cls(reading, settings.rules, settings.channels, settings.mute_windows(), written)

    @classmethod
    def of_files(cls, main: Document, path: Path, environment: Environment) -> _Base:
        """Return the base of a file that holds its rules, or names files that do."""
        reading = reading_of(main, path.parent)
        documents = tuple(_read(file, environment) for file in rule_files(main, path))
        _check_names_of(documents)
        files = [validated(RuleFile, document, reading) for document in documents]
        rules = tuple(rule for file in files if file for rule in file.rules)
        return cls(reading, rules, documents=documents)


def _read(path: Path, environment: Environment) -> Document:
    return expand(parsed(path), path, environment)


def _fill_in_channels(main: Document) -> None:
    """Let a channel be a name alone: nothing is sent, so no key is needed."""
    for _, item in items(main, "channels"):
        item.setdefault("service", Scalar("console"))
        if item["service"] == "pagerduty":
            item.setdefault("integration_key", _ANY_KEY)


def _check_names_of(documents: Iterable[Document]) -> None:
    """Refuse a name that two rules of other files share."""
    files: dict[str, str] = {}
    for document in documents:
        for where, item in items(document, "rules"):
            name = item.get("name")
            if isinstance(name, Scalar) and name in files:
                message = f"'{name}' names another rule already"
                document.complain((*where, "name"), message, f"first in {files[name]}")
            elif isinstance(name, Scalar):
                files[name] = document.file
