"""How many messages a channel may send: ``100 per minute``, or ``none`` for no limit."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from playwatch.config.fields import Scalar, mistake

MOST: Final = 100_000
_RATE: Final = re.compile(r"([0-9]{1,9}) +per +minute")
_HINT: Final = "write 100 per minute, or none for no limit"


def read_rate(value: object) -> int | None:
    """Return how many in any minute a text allows; None for no limit."""
    if isinstance(value, Scalar) and value.missing:
        return None
    if value == "none":
        return None
    found = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        message = f"'{value}' is not a rate" if isinstance(value, str) else "is not a rate"
        raise mistake(message, _HINT)
    rate = int(found[1])
    if not 1 <= rate <= MOST:
        message = f"must be from 1 to {MOST} per minute"
        raise mistake(message, _HINT)
    return rate


def write_rate(rate: int | None) -> str:
    """Return it as people write it."""
    return "none" if rate is None else f"{rate} per minute"


RateLimit = Annotated[
    int | None,
    PlainValidator(read_rate),
    PlainSerializer(write_rate),
    WithJsonSchema(
        {"anyOf": [{"const": "none"}, {"type": "string", "pattern": "^[0-9]+ +per +minute$"}]}
    ),
]
"""Messages in any minute, over all channels with the same key; None for no limit."""
