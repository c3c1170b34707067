"""Reads files of rule tests: the rules they name, the tests, all mistakes at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError

from playwatch.config.document import Document, Place, read_document
from playwatch.config.fields import Reading, Scalar
from playwatch.config.load import SIZE_LIMIT, load_config
from playwatch.config.routes import route_of
from playwatch.config.scenarios.naming import check_names
from playwatch.config.scenarios.schema import ScenarioFile
from playwatch.config.schema import MetricSettings, RuleFile
from playwatch.config.secrets import Environment
from playwatch.config.wording import complain_of
from playwatch.core.metrics import Catalogue, Metric
from playwatch.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from playwatch.config.document import Path as KeyPath
    from playwatch.config.rules import RuleSettings
    from playwatch.config.scenarios.schema import Scenario
    from playwatch.config.schema import ChannelSettings
    from playwatch.core.routing import Route
    from playwatch.core.rules import Rule
    from playwatch.core.silences import MuteWindow

_ANY_KEY: Final = Scalar("0" * 32)
_WITH_CONFIG: Final = ("rule_files", "metrics", "rules", "channels", "mute")

_Model = TypeVar("_Model", bound=BaseModel)


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
    settings = _validated(ScenarioFile, main, base.reading)
    documents = (main, *base.documents)
    is_whole = not (base.problems or any(document.problems for document in documents))
    rules, channels = base.rules, base.channels
    if settings:
        rules, channels = (*rules, *settings.rules), (*channels, *settings.channels)
        # Without all rules, names would seem unknown.
        if is_whole:
            others = {rule.name for rule in base.rules}
            check_names(main, settings, rules, channels, others)
    problems = [
        environment.redacted(problem) for one in documents for problem in _in_order(one.problems)
    ]
    problems += base.problems
    if problems or settings is None:
        raise ConfigError(problems)
    return Suite(
        file=str(path),
        catalogue=base.reading.catalogue,
        rules=tuple(rule.core_rule() for rule in rules),
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
        return cls(reading, settings.rules, settings.channels, settings.mute_windows())

    @classmethod
    def of_files(cls, main: Document, path: Path, environment: Environment) -> _Base:
        """Return the base of a file that holds its rules, or names files that do."""
        reading = _reading(main, path.parent)
        documents = tuple(_read(file, environment) for file in _rule_files(main, path.parent))
        _check_names_of(documents)
        files = [_validated(RuleFile, document, reading) for document in documents]
        rules = tuple(rule for file in files if file for rule in file.rules)
        return cls(reading, rules, documents=documents)


def _read(path: Path, environment: Environment) -> Document:
    document = _parsed(path)
    if document.value is None and not document.problems:
        document.complain((), "the file is empty")
    environment.expand(document)
    environment.read_twins(document, path.parent)
    return document


def _parsed(path: Path) -> Document:
    document = Document(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        document.complain((), f"cannot be read: {reason}")
        return document
    if len(content) > SIZE_LIMIT:
        document.complain((), "is larger than 1 MiB")
        return document
    try:
        return read_document(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        document.complain_at(place, (), "is not text in UTF-8 from here on")
        return document


def _fill_in_channels(main: Document) -> None:
    """Let a channel be a name alone: nothing is sent, so no key is needed."""
    for item in _items(main, "channels"):
        item.setdefault("service", Scalar("console"))
        if item["service"] == "pagerduty":
            item.setdefault("integration_key", _ANY_KEY)


def _rule_files(main: Document, folder: Path) -> list[Path]:
    """Return the files that the globs of ``rule_files`` match, each once, sorted."""
    found: dict[Path, None] = {}
    globs = main.value.get("rule_files") if isinstance(main.value, dict) else None
    for number, pattern in enumerate(globs if isinstance(globs, list) else ()):
        if not isinstance(pattern, Scalar) or pattern.missing or not pattern:
            continue
        matches = _matches(folder, pattern)
        if not matches:
            main.complain(("rule_files", number), f"no file matches '{pattern}'")
        found |= dict.fromkeys(matches)
    return list(found)


def _check_names_of(documents: Iterable[Document]) -> None:
    """Refuse a name that two rules of other files share."""
    files: dict[str, str] = {}
    for document in documents:
        for number, item in enumerate(_items(document, "rules")):
            name = item.get("name")
            if isinstance(name, Scalar) and name in files:
                message = f"'{name}' names another rule already"
                document.complain(("rules", number, "name"), message, f"first in {files[name]}")
            elif isinstance(name, Scalar):
                files[name] = document.file


def _matches(folder: Path, pattern: str) -> list[Path]:
    wanted = Path(pattern)
    if ".." in wanted.parts and not set(pattern) & set("*?["):
        wanted = (folder / wanted).resolve()
    root = Path(wanted.anchor) if wanted.is_absolute() else folder
    try:
        matches = sorted(root.glob(str(wanted.relative_to(wanted.anchor))))
        return [match for match in matches if match.is_file()]
    except (ValueError, NotImplementedError, IndexError, OSError):
        return []


def _reading(main: Document, folder: Path) -> Reading:
    """Return what the rules are checked against: the catalogue with custom metrics."""
    custom: list[Metric] = []
    doubtful: set[str] = set()
    for item in _items(main, "metrics"):
        try:
            settings = MetricSettings.model_validate(item, by_alias=True, by_name=False)
            custom.append(settings.core_metric())
        except ValidationError:
            doubtful.add(str(item.get("key")).replace("-", "_"))
    return Reading(folder.absolute(), Catalogue(custom), frozenset(doubtful))


def _validated(model: type[_Model], document: Document, reading: Reading) -> _Model | None:
    """Return a document as a model; None when its mistakes were added to its problems."""
    if document.value is None:
        return None
    try:
        return model.model_validate(document.value, context=reading, by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            complain_of(detail, document, model)
    return None


def _items(document: Document, section: str) -> Iterator[dict[str, object]]:
    """Iterate over the mappings in a list at the root of a document."""
    root = document.value
    listed = root.get(section) if isinstance(root, dict) else None
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict):
            yield item


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.line, problem.column, problem.path))
