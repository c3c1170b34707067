"""Fields of the configuration: how a scalar of YAML becomes a value, or a mistake in words.

The reader hands over every scalar as text (`Scalar`), so what was written is
never lost: ``country: NO`` stays ``NO``. Here each field says what it takes.
Values of any other type come from code and pass as they are.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from playwatch.config.quantities import (
    DURATION_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)
from playwatch.core.metrics import Catalogue

_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Strict(BaseModel):
    """A mapping whose every key is known."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Scalar(str):
    """A scalar of a file, as text.

    Attributes
    ----------
    is_plain
        True when it was written without quotes.
    is_expanded
        True when a part of it came from the environment.
    missing
        The first environment variable that it needs and that is not set.
    """

    __slots__ = ("is_expanded", "is_plain", "missing")

    is_plain: bool
    is_expanded: bool
    missing: str

    def __new__(
        cls, text: str, *, is_plain: bool = False, is_expanded: bool = False, missing: str = ""
    ) -> Self:
        """Return the text with how it was written."""
        made = super().__new__(cls, text)
        made.is_plain = is_plain
        made.is_expanded = is_expanded
        made.missing = missing
        return made


@dataclass(frozen=True, slots=True)
class Reading:
    """What validation needs to know beside the value.

    Attributes
    ----------
    folder
        Where the file is: relative paths start there.
    catalogue
        The metrics that rules can name.
    doubtful
        Keys of custom metrics that have a mistake of their own; a rule that
        names one is not told off a second time.
    """

    folder: Path
    catalogue: Catalogue = field(default_factory=Catalogue)
    doubtful: frozenset[str] = frozenset()


def mistake(message: str, hint: str = "", at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Return an error with its own words, to be raised by a validator.

    Parameters
    ----------
    message
        One sentence for the operator.
    hint
        A way out, or empty.
    at
        Where inside the value the mistake is.
    """
    facts = {"sentence": message, "hint": hint, "at": at}
    return PydanticCustomError("mistake", "{sentence}", facts)


def looks_like_number(value: object) -> bool:
    """Return whether a scalar was written as a number, without quotes."""
    return isinstance(value, Scalar) and value.is_plain and _NUMBER.fullmatch(value) is not None


def text(value: object) -> object:
    """Return a text; a bare number is a mistake."""
    if looks_like_number(value):
        message = f"{value} is a number, text is expected"
        raise mistake(message, f'if it is meant as text, put it in quotes: "{value}"')
    if isinstance(value, str) and not value.strip():
        message = "is empty"
        raise mistake(message)
    return str(value) if isinstance(value, Scalar) else value


def _words(value: object) -> object:
    return str(value) if isinstance(value, Scalar) else value


def _flag(value: object) -> object:
    if isinstance(value, Scalar):
        if value not in {"true", "false"} or not (value.is_plain or value.is_expanded):
            message = f"'{value}' is neither true nor false"
            raise mistake(message, "write true or false, without quotes")
        return value == "true"
    return value


def _whole(value: object) -> object:
    if isinstance(value, Scalar):
        if not _is_numeric(value, _WHOLE):
            message = f"'{value}' is not a whole number"
            raise mistake(message, "digits only, without quotes")
        return int(value)
    return value


def _number(value: object) -> object:
    if isinstance(value, Scalar):
        if not _is_numeric(value, _NUMBER) or not math.isfinite(float(value)):
            message = f"'{value}' is not a number"
            raise mistake(message, "digits and a point, without quotes")
        return float(value)
    return value


def _is_numeric(value: Scalar, pattern: re.Pattern[str]) -> bool:
    return (value.is_plain or value.is_expanded) and pattern.fullmatch(value) is not None


def _seconds(value: object) -> object:
    if isinstance(value, str):
        if value != "0" and _NUMBER.fullmatch(value):
            message = f"the duration {value} has no unit"
            raise mistake(message, f"write {value}s for seconds, {value}m for minutes")
        try:
            return parse_duration(value)
        except ValueError:
            message = f"'{value}' is not a duration"
            raise mistake(message, "write 30s, 5m, 1h30m, 1d or 250ms") from None
    return value


def _size(value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_size(value)
        except ValueError:
            message = f"'{value}' is not a size"
            raise mistake(message, "write 512KiB or 4MiB") from None
    return value


def _path(value: object, info: ValidationInfo) -> object:
    value = text(value)
    if isinstance(value, str):
        if "\0" in value:
            message = "holds a NUL character"
            raise mistake(message)
        value = Path(value)
    if isinstance(value, Path) and isinstance(info.context, Reading):
        return (info.context.folder / value).absolute()
    return value


def _path_text(value: object, info: ValidationInfo) -> object:
    found = _path(value, info)
    return str(found) if isinstance(found, Path) else found


def _dimension(value: object) -> object:
    value = text(value)
    if isinstance(value, str) and _CONTROL.search(value):
        message = "a dimension's name cannot hold control characters"
        raise mistake(message)
    return value


def _plain_secret(value: object) -> object:
    if isinstance(value, Scalar) and value.missing:
        return str(value)
    return str(text(value)) if isinstance(value, Scalar) else value


def masked(secret: SecretStr | None) -> str | None:
    """Return what may be shown of a secret: that there is one."""
    return None if secret is None else "****"


def reading(info: ValidationInfo) -> Reading:
    """Return what the reader passed along; a bare `Reading` when there is none."""
    return cast("Reading", info.context) if info.context else Reading(Path())


_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})

Text = Annotated[str, BeforeValidator(text)]
"""A text that is not empty."""
Choice = BeforeValidator(_words)
"""Marks a field with a few allowed words; bare numbers are read as written."""
Flag = Annotated[bool, BeforeValidator(_flag)]
"""``true`` or ``false``."""
Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number."""
Number = Annotated[float, BeforeValidator(_number)]
"""A finite number."""
Seconds = Annotated[
    float, BeforeValidator(_seconds), PlainSerializer(format_duration), _DURATION_SCHEMA
]
"""A duration in seconds, written ``1h30m``."""
Size = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(format_size),
    WithJsonSchema({"type": ["string", "integer"]}),
]
"""A size in bytes, written ``4MiB``."""
FilePath = Annotated[Path, BeforeValidator(_path), PlainSerializer(str)]
"""A path; relative ones start at the folder of the file that names them."""
FilePathText = Annotated[str, BeforeValidator(_path_text)]
"""The same, kept as text."""
Dimension = Annotated[str, BeforeValidator(_dimension)]
"""The name of a dimension."""
Secret = Annotated[SecretStr, BeforeValidator(_plain_secret), PlainSerializer(masked)]
"""A text that is never shown."""
