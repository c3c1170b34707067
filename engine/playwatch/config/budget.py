"""How many false pages people can live with: ``1 per week``."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from playwatch.config.fields import Scalar, mistake

_PER_WEEK: Final = {"day": 7.0, "week": 1.0, "month": 7 / 30}
_BUDGET: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) +(?:per|a) +(day|week|month)")
_LEAST: Final = 0.01
_MOST: Final = 1000.0
_HINT: Final = "write 1 per week, 3 per day or 0.5 per month"


def read_budget(value: object) -> float:
    """Return how many false pages a week a text allows."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Scalar) and value.missing:
        return 1.0
    found = _BUDGET.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        message = f"'{value}' is not a budget" if isinstance(value, str) else "is not a budget"
        raise mistake(message, _HINT)
    budget = float(found[1]) * _PER_WEEK[found[2]]
    if not _LEAST <= budget <= _MOST:
        message = f"must be from {_LEAST:g} to {_MOST:g} per week"
        raise mistake(message, _HINT)
    return budget


def write_budget(budget: float) -> str:
    """Return it as people write it."""
    return f"{budget:.3f}".rstrip("0").rstrip(".") + " per week"


Budget = Annotated[
    float,
    PlainValidator(read_budget),
    PlainSerializer(write_budget),
    WithJsonSchema({"type": "string", "pattern": "^[0-9.]+ +(per|a) +(day|week|month)$"}),
]
"""False pages a week."""
