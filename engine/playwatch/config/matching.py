"""What one dimension must be, as people write it: ``sports``, ``"live-*"``, ``"!US"``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from playwatch.config.fields import mistake
from playwatch.core.rules import Matcher

_WAYS: Final = "write a text, a list of texts, or null for series without this dimension"


@dataclass(frozen=True, slots=True)
class Pattern:
    """The value of one key in ``where``; the meaning of a `Matcher` without its dimension."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    must_be_missing: bool = False

    def matcher(self, dimension: str) -> Matcher:
        """Return what a series must pass in this dimension."""
        return Matcher(dimension, self.include, self.exclude, self.must_be_missing)


def read_pattern(value: object) -> Pattern:
    """Return the pattern that a text, a list or null stands for.

    Texts stay as written, so ``NO``, ``007`` and ``true`` are texts here.
    """
    if isinstance(value, Pattern):
        return value
    if value is None:
        return Pattern(must_be_missing=True)
    if isinstance(value, str):
        return _pattern([value])
    if not isinstance(value, list | tuple):
        message = "is not something a dimension can be"
        raise mistake(message, _WAYS)
    if not value:
        message = "an empty list matches nothing"
        raise mistake(message, _WAYS)
    for number, item in enumerate(value):
        if not isinstance(item, str):
            message = "only texts can stand in this list"
            raise mistake(message, _WAYS, (number,))
    return _pattern(list(value), is_list=True)


def _pattern(written: list[str], *, is_list: bool = False) -> Pattern:
    include: list[str] = []
    exclude: list[str] = []
    for number, item in enumerate(written):
        at = (number,) if is_list else ()
        if not item.removeprefix("!"):
            message = "is empty"
            raise mistake(message, "for series without this dimension write null", at)
        if item.startswith("!"):
            exclude.append(item[1:])
        else:
            include.append(str(item))
    return Pattern(tuple(include), tuple(exclude))


def write_pattern(pattern: Pattern) -> str | list[str] | None:
    """Return a pattern as people write it."""
    if pattern.must_be_missing:
        return None
    written = [*pattern.include, *(f"!{item}" for item in pattern.exclude)]
    return written[0] if len(written) == 1 else written


PatternField = Annotated[
    Pattern,
    PlainValidator(read_pattern),
    PlainSerializer(write_pattern),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number", "boolean", "null"]},
                {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
            ]
        }
    ),
]
