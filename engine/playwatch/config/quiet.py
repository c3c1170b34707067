"""How long a subscription may be silent: ``auto``, ``off``, or a duration."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from playwatch.config.fields import Scalar, mistake
from playwatch.config.quantities import DURATION_PATTERN, format_duration, parse_duration

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 7 * 86_400.0

QuietAfter = Literal["auto", "off"] | float
"""Learned from what is usual, never, or seconds."""


def read_quiet_after(value: object) -> QuietAfter:
    """Return the patience that a text stands for."""
    if isinstance(value, Scalar) and value.missing:
        return "auto"
    if value in ("auto", "off"):
        return "auto" if value == "auto" else "off"
    try:
        seconds = float(value) if isinstance(value, int | float) else parse_duration(str(value))
    except ValueError:
        message = f"'{value}' is not a duration" if isinstance(value, str) else "is not a duration"
        raise mistake(message, "write auto, off, or a duration such as 5m") from None
    if not SHORTEST_S <= seconds <= LONGEST_S:
        message = f"must be from {format_duration(SHORTEST_S)} to {format_duration(LONGEST_S)}"
        raise mistake(message, "write off to accept any silence")
    return seconds


def write_quiet_after(quiet_after: QuietAfter) -> str:
    """Return it as people write it."""
    return quiet_after if isinstance(quiet_after, str) else format_duration(quiet_after)


QuietField = Annotated[
    QuietAfter,
    PlainValidator(read_quiet_after),
    PlainSerializer(write_quiet_after),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto", "off"]},
                {"type": "string", "pattern": DURATION_PATTERN},
            ]
        }
    ),
]
