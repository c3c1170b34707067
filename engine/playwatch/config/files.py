"""Files of settings: read, with the files that they name, and held against a model.

Configurations and rule tests are read the same way, so that both say the same
of the same mistake.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError

from playwatch.config.document import Document, Place, read_document
from playwatch.config.fields import Reading, Scalar
from playwatch.config.measures import MetricSettings
from playwatch.config.wording import complain_of
from playwatch.core.metrics import Catalogue, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playwatch.config.document import Path as KeyPath
    from playwatch.config.secrets import Environment
    from playwatch.errors import Problem

SIZE_LIMIT: Final = 1 << 20
"""Bytes that one file may have."""

_Model = TypeVar("_Model", bound=BaseModel)


def parsed(path: Path) -> Document:
    """Return a file as a document; what keeps it from being one is its problem."""
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
        document = read_document(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        document.complain_at(place, (), "is not text in UTF-8 from here on")
        return document
    if document.value is None and not document.problems:
        document.complain((), "the file is empty")
    return document


def expand(document: Document, path: Path, environment: Environment) -> Document:
    """Put variables and secrets of a file in their places."""
    environment.expand(document)
    environment.read_twins(document, path.parent)
    return document


def rule_files(main: Document, path: Path) -> list[Path]:
    """Return the files that the globs of ``rule_files`` match, each once, sorted.

    Parameters
    ----------
    path
        Where the main file is; it may not name itself.
    """
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
    if ".." in wanted.parts and not set(pattern) & set("*?["):
        wanted = (folder / wanted).resolve()
    root = Path(wanted.anchor) if wanted.is_absolute() else folder
    try:
        matches = sorted(root.glob(str(wanted.relative_to(wanted.anchor))))
        return [match for match in matches if match.is_file()]
    except (ValueError, NotImplementedError, IndexError, OSError):
        return []


def reading_of(main: Document, folder: Path) -> Reading:
    """Return what rules are checked against: the catalogue with the custom metrics."""
    custom: list[Metric] = []
    doubtful: set[str] = set()
    for _, item in items(main, "metrics"):
        try:
            settings = MetricSettings.model_validate(item, by_alias=True, by_name=False)
            custom.append(settings.core_metric())
        except ValidationError:
            doubtful.add(str(item.get("key")).replace("-", "_"))
    return Reading(folder.absolute(), Catalogue(custom), frozenset(doubtful))


def validated(model: type[_Model], document: Document, reading: Reading) -> _Model | None:
    """Return a document as a model; None when its mistakes were added to its problems."""
    if document.value is None:
        return None
    try:
        return model.model_validate(document.value, context=reading, by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            complain_of(detail, document, model)
    return None


def items(document: Document, section: str) -> Iterator[tuple[KeyPath, dict[str, object]]]:
    """Iterate over the mappings in a list at the root of a document, with their paths."""
    root = document.value
    listed = root.get(section) if isinstance(root, dict) else None
    for number, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict):
            yield (section, number), item


def problems_of(documents: Iterable[Document], environment: Environment) -> list[Problem]:
    """Return the mistakes, by file and line; no secret stands in them."""
    return [
        environment.redacted(problem)
        for document in documents
        for problem in sorted(document.problems, key=lambda p: (p.line, p.column, p.path))
    ]
