"""Reads the configuration: one main file, its rule files, all mistakes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ValidationError

from playwatch.config.fields import Scalar
from playwatch.config.files import (
    expand,
    items,
    parsed,
    problems_of,
    reading_of,
    rule_files,
    validated,
)
from playwatch.config.schema import RuleFile, Settings
from playwatch.config.secrets import Environment
from playwatch.config.wording import drop_unset
from playwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from playwatch.config.document import Document
    from playwatch.config.fields import Reading


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
    rule_documents = [_read(file, environment) for file in rule_files(main, path)]
    documents = [main, *rule_documents]
    reading = reading_of(main, path.parent)
    if not need_secrets:
        _drop_unset(Settings, main, reading)
        for document in rule_documents:
            _drop_unset(RuleFile, document, reading)
    settings = validated(Settings, main, reading)
    more = [validated(RuleFile, document, reading) for document in rule_documents]
    origins = _origins(documents)
    problems = problems_of(documents, environment)
    if problems or settings is None:
        raise ConfigError(problems)
    rules = (*settings.rules, *(rule for file in more if file for rule in file.rules))
    whole = settings.model_copy(update={"rules": rules})
    whole.remember_origins(origins)
    return whole


def _read(path: Path, environment: Environment) -> Document:
    document = parsed(path)
    _drop_empty_sections(document)
    return expand(document, path, environment)


def _drop_empty_sections(document: Document) -> None:
    """Read a section of which everything is commented out as absent."""
    if isinstance(document.value, dict):
        for section in set(Settings.model_fields) - {"mqtt"}:
            if section in document.value and document.value[section] is None:
                del document.value[section]


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
            for path, item in items(document, section):
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
