"""Mistakes that pydantic finds, in plain words and with their place."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from playwatch.config.fields import Scalar
from playwatch.config.quantities import format_duration, format_size, parse_duration, parse_size
from playwatch.config.secrets import TWINS, unset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from playwatch.config.document import Document, Path

_WORDS: Final = {
    "string_type": "must be a text",
    "secret_type": "must be a text",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number or a duration",
    "path_type": "must be a path",
}
_LIMITS: Final = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}
_QUOTED: Final = re.compile(r"'([^']*)'")
_TAG: Final = "service"


def complain_of(error: ErrorDetails, document: Document, model: type[BaseModel]) -> None:
    """Add one error of pydantic to a document's problems.

    Parameters
    ----------
    error
        As pydantic tells it; ``loc`` holds names of union members too.
    document
        Where the value was read from.
    model
        What the document was held against.
    """
    facts: dict[str, Any] = error.get("ctx", {})
    loc = (*error["loc"], *facts.get("at", ()))
    kind = error["type"]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        loc = (*loc, _TAG)
    path, raw = _follow(document.value, loc)
    if kind == "extra_forbidden":
        document.complain(path, *_unknown(model, loc), of_key=True)
    elif kind in {"missing", "union_tag_not_found"}:
        document.complain(path, "is missing")
    elif isinstance(raw, Scalar) and raw.missing:
        _complain_of_unset(document, path, raw.missing)
    else:
        of_key = loc[-1:] == ("[key]",)
        message, hint = _words(kind, facts, path[-1] if of_key else raw, error["msg"])
        document.complain(path, message, hint, of_key=of_key)


def drop_unset(error: ErrorDetails, document: Document, model: type[BaseModel]) -> None:
    """Leave a value out that pydantic refuses because a variable in it is not set.

    A key that must be there stays, and so does its error.
    """
    path, raw = _follow(document.value, error["loc"])
    holder: Any = document.value
    for step in path[:-1]:
        holder = holder[step]
    if isinstance(raw, Scalar) and raw.missing and isinstance(holder, dict):
        members = _members(model, error["loc"][:-1])
        fields = [m.model_fields[k] for m in members for k in _keys(m).get(str(path[-1]), ())]
        if fields and not any(field.is_required() for field in fields):
            del holder[str(path[-1])]


def _follow(value: object, loc: Path) -> tuple[Path, object]:
    """Return the path in the file that pydantic's location means, and what stands there."""
    path: list[str | int] = []
    for number, step in enumerate(loc):
        is_last = number == len(loc) - 1
        if isinstance(value, dict):
            if step == value.get(_TAG) and not is_last:
                continue
            if step in value or is_last:
                path.append(step)
                value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            path.append(step)
            value = value[step]
        else:
            break
    return tuple(path), value


def _complain_of_unset(document: Document, path: Path, name: str) -> None:
    """Name the variable, once."""
    message, hint = unset(name)
    place = document.values.get(path)
    known = {(problem.message, problem.line, problem.column) for problem in document.problems}
    if place is None or (message, place.line, place.column) not in known:
        document.complain(path, message, hint)


def _words(kind: str, facts: dict[str, Any], raw: object, fallback: str) -> tuple[str, str]:
    if kind == "mistake":
        return facts["sentence"], facts["hint"]
    if kind in {"literal_error", "union_tag_invalid"}:
        return _not_among(facts.get("expected") or facts["expected_tags"], raw)
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"must be {words} {_in_the_unit_of(raw, facts[key])}", ""
    message = _WORDS.get(kind, fallback[:1].lower() + fallback[1:])
    if raw is None:
        return f"has no value: it {message}", ""
    return message, ""


def _not_among(expected: str, raw: object) -> tuple[str, str]:
    expected = expected.replace("', '", "' or '")
    if not isinstance(raw, str):
        return f"must be {expected}", ""
    near = difflib.get_close_matches(raw, _QUOTED.findall(expected), n=1)
    hint = f"did you mean {near[0]}?" if near else ""
    return f"must be {expected}, not '{raw}'", hint


def _in_the_unit_of(raw: object, limit: float) -> str:
    """Return a limit in the way that the value itself was written."""
    written = str(raw)
    if written.isdigit():
        return f"{limit:g}"
    with suppress(ValueError):
        return f"{format_duration(limit)}" if parse_duration(written) >= 0 else ""
    with suppress(ValueError):
        return f"{format_size(int(limit))}" if parse_size(written) >= 0 else ""
    return f"{limit:g}"


def _unknown(model: type[BaseModel], loc: Path) -> tuple[str, str]:
    known = {name for member in _members(model, loc[:-1]) for name in _keys(member)}
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    if near:
        return "is not a known key", f"did you mean {near[0]}?"
    return "is not a known key", f"known are {', '.join(sorted(known))}" if known else ""


def _members(model: type[BaseModel], loc: Path) -> list[type[BaseModel]]:
    """Return the models that can stand at a location."""
    members = [model]
    for step in loc:
        if isinstance(step, int):
            continue
        if named := [m for m in members if _TAG in m.model_fields and step in _tags(m)]:
            members = named
        else:
            fields = (m.model_fields[k] for m in members for k in _keys(m).get(step, ()))
            members = [inner for found in fields for inner in _models_in(found.annotation)]
    return members


def _keys(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Return every key of a model as people write it, with its field."""
    keys = {str(f.validation_alias or name): (name,) for name, f in model.model_fields.items()}
    twins: dict[str, tuple[str, ...]] = {
        f"{name}_file": () for name in chain.from_iterable(TWINS.values()) if name in keys
    }
    return {**keys, **twins}


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(get_args(model.model_fields[_TAG].annotation))


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
