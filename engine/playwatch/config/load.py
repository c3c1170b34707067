"""Reads the configuration: one main file, its rule files, all mistakes at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError

from playwatch.config.document import Document, Place, read_document
from playwatch.config.fields import Reading, Scalar
from playwatch.config.schema import MetricSettings, RuleFile, Settings
from playwatch.config.secrets import Environment
from playwatch.config.wording import complain_of, drop_unset
from playwatch.core.metrics import Catalogue, Metric
from playwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwatch.config.document import Path as KeyPath

SIZE_LIMIT: Final = 1 << 20
"""Bytes that one file may have."""

_Model = TypeVar("_Model", bound=BaseModel)


def load_config(path: Path, *, environ: Mapping[str, str], need_secrets: bool = True) -> Settings:
    """Return what a configuration file and its rule files say.

    Parameters
    ----------
    path
        The main file; relative paths in it start at its folder.
    environ
        The environment variables that ``${NAME}`` may name.
    need_secrets
        False to accept unset variables and unreadable secret files, for a
        check where the secrets are not at hand.

    Raises
    ------
    ConfigError
        With every mistake of every file, in the order of the files and of the
        lines in each. No secret stands in it.
    """
    environment = Environment(environ, need_secrets)
    main = _read(path, environment)
    if isinstance(main.value, dict):
        # So that the default path, too, starts at the folder of the file.
        main.value.setdefault("store", {})
    rule_documents = [_read(file, environment) for file in _rule_files(main, path)]
    documents = [main, *rule_documents]
    reading = _reading(main, path.parent)
    if not need_secrets:
        _drop_unset(Settings, main, reading)
        for document in rule_documents:
            _drop_unset(RuleFile, document, reading)
    settings = _validated(Settings, main, reading)
    more = [_validated(RuleFile, document, reading) for document in rule_documents]
    origins = _origins(documents)
    problems = [
        environment.redacted(problem)
        for document in documents
        for problem in sorted(document.problems, key=lambda p: (p.line, p.column, p.path))
    ]
    if problems or settings is None:
        raise ConfigError(problems)
    rules = (*settings.rules, *(rule for file in more if file for rule in file.rules))
    whole = settings.model_copy(update={"rules": rules})
    whole.remember_origins(origins)
    return whole


def _read(path: Path, environment: Environment) -> Document:
    """Return a file with its variables and secrets in their places."""
    document = _parsed(path)
    if document.value is None and not document.problems:
        document.complain((), "the file is empty")
    _drop_empty_sections(document)
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


def _drop_empty_sections(document: Document) -> None:
    """Read a section of which everything is commented out as absent."""
    if isinstance(document.value, dict):
        for section in set(Settings.model_fields) - {"mqtt"}:
            if section in document.value and document.value[section] is None:
                del document.value[section]


def _rule_files(main: Document, path: Path) -> list[Path]:
    """Return the files that the globs of ``rule_files`` match, each once, sorted."""
    found: dict[Path, None] = {}
    globs = main.value.get("rule_files") if isinstance(main.value, dict) else None
    for number, pattern in enumerate(globs if isinstance(globs, list) else ()):
        if not isinstance(pattern, Scalar) or pattern.missing or not pattern:
            continue
        matches = _matches(path.parent, pattern)
        if not matches:
            main.complain(("rule_files", number), f"no file matches '{pattern}'")
        for match in matches:
            if match.samefile(path):
                main.complain(("rule_files", number), f"'{pattern}' matches this very file")
            else:
                found[match] = None
    return list(found)


def _matches(folder: Path, pattern: str) -> list[Path]:
    wanted = Path(pattern)
    root = Path(wanted.anchor) if wanted.is_absolute() else folder
    try:
        matches = sorted(root.glob(str(wanted.relative_to(wanted.anchor))))
        return [match for match in matches if match.is_file()]
    except (ValueError, NotImplementedError, IndexError, OSError):
        return []


def _reading(main: Document, folder: Path) -> Reading:
    """Return what the rules are checked against: the catalogue with its custom metrics."""
    custom: list[Metric] = []
    doubtful: set[str] = set()
    for path, item in _items(main, "metrics"):
        try:
            settings = MetricSettings.model_validate(item, by_alias=True, by_name=False)
            custom.append(settings.core_metric())
        except ValidationError:
            key = item.get("key")
            doubtful.add(str(key).replace("-", "_"))
        del path
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


def _drop_unset(model: type[BaseModel], document: Document, reading: Reading) -> None:
    """Leave out each optional value that needs an unset variable and is none without it."""
    if document.value is None:
        return
    try:
        model.model_validate(document.value, context=reading, by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            drop_unset(detail, document, model)


def _origins(documents: list[Document]) -> dict[tuple[str, str], tuple[str, int, int]]:
    """Return where each name is given; a second time is a mistake."""
    origins: dict[tuple[str, str], tuple[str, int, int]] = {}
    for document in documents:
        for kind, section, key in _NAMED:
            for path, item in _items(document, section):
                name = item.get(key)
                if not isinstance(name, Scalar) or not name:
                    continue
                place = document.values[(*path, key)]
                same = name.replace("-", "_") if key == "key" else str(name)
                if first := origins.get((kind, same)):
                    hint = f"first in {first[0]}:{first[1]}"
                    document.complain((*path, key), f"'{name}' names another {kind} already", hint)
                else:
                    origins[kind, same] = (document.file, place.line, place.column)
    origins["file", ""] = (documents[0].file, 1, 1)
    return origins


_NAMED: Final = (
    ("rule", "rules", "name"),
    # Incidents are told apart by it, whatever raised them.
    ("rule", "anomalies", "name"),
    ("channel", "channels", "name"),
    ("mute window", "mute", "name"),
    ("metric", "metrics", "key"),
)


def _items(document: Document, section: str) -> Iterator[tuple[KeyPath, dict[str, object]]]:
    """Iterate over the mappings in a list at the root of a document."""
    root = document.value
    listed = root.get(section) if isinstance(root, dict) else None
    for number, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict):
            yield (section, number), item
