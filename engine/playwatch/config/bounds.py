"""Bounds as people write them: ``"> 5"``, ``{warning: "> 3", critical: "> 5"}``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from playwatch.config.fields import Choice, mistake
from playwatch.core.rules import Bound, Comparison, Severity, Threshold, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.core.metrics import Metric

_BOUND: Final = re.compile(
    r"\s*(>=|<=|>|<)\s*([-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)\s*"
)
_HINT: Final = 'write a comparison and a number in quotes, such as "> 5"'


def read_bound(value: object) -> Bound:
    """Return the bound that a text stands for."""
    if isinstance(value, Bound):
        return value
    found = _BOUND.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        shown = f"'{value}' is not a bound" if isinstance(value, str) else "is not a bound"
        raise mistake(shown, _HINT)
    limit = float(found[2])
    if not math.isfinite(limit):
        message = f"{found[2]} is too great a number"
        raise mistake(message)
    return Bound(Comparison(found[1]), limit)


def write_bound(bound: Bound) -> str:
    """Return a bound as people write it, with every digit."""
    return f"{bound.comparison.value} {_exact(bound.limit)}"


def _one_means_critical(value: object) -> object:
    return value if isinstance(value, dict) else {"critical": value}


def write_tiers(tiers: Mapping[str, Bound]) -> str | dict[str, str]:
    """Return a trigger as people write it: one text when it is only critical."""
    written = {word: write_bound(bound) for word, bound in tiers.items()}
    return written["critical"] if set(written) == {"critical"} else written


_SCHEMA: Final = {"type": "string", "pattern": r"^\s*(>=|<=|>|<)\s*[-+.0-9eE]+\s*$"}
_SEVERITIES: Final = [severity.word for severity in Severity]

SeverityWord = Annotated[Literal["info", "warning", "error", "critical"], Choice]
BoundField = Annotated[
    Bound, PlainValidator(read_bound), PlainSerializer(write_bound), WithJsonSchema(_SCHEMA)
]
TiersField = Annotated[
    dict[SeverityWord, BoundField],
    BeforeValidator(_one_means_critical),
    PlainSerializer(write_tiers),
    WithJsonSchema(
        {
            "anyOf": [
                _SCHEMA,
                {
                    "type": "object",
                    "properties": dict.fromkeys(_SEVERITIES, _SCHEMA),
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]


def check_tiers(tiers: Mapping[str, Bound], metric: Metric | None) -> None:
    """Refuse levels that disagree, or that a metric can never or always pass.

    Raises
    ------
    PydanticCustomError
        At the level that is wrong, in rising severity.
    """
    if not tiers:
        message = "names no level"
        raise mistake(message, _HINT)
    before: tuple[str, Bound] | None = None
    for word, bound in _rising(tiers):
        if before:
            _check_pair(before, (word, bound))
        if metric:
            check_range(bound, metric, (word,))
        before = (word, bound)


def _check_pair(lower: tuple[str, Bound], upper: tuple[str, Bound]) -> None:
    (word, bound), (other_word, other) = lower, upper
    if bound.comparison is not other.comparison:
        message = f"{other_word} compares with {other.comparison.value}, {word} with "
        raise mistake(
            message + bound.comparison.value, "every level uses the same comparison", (other_word,)
        )
    is_nearer = (
        other.limit < bound.limit if bound.comparison.is_upward else other.limit > bound.limit
    )
    if is_nearer:
        message = (
            f"{other_word} at {write_bound(other)} is reached before {word} at {write_bound(bound)}"
        )
        raise mistake(message, "the graver level lies further out", (other_word,))


def check_range(bound: Bound, metric: Metric, at: tuple[str | int, ...] = ()) -> None:
    """Refuse a bound that no value of a metric satisfies, or every value does.

    Raises
    ------
    PydanticCustomError
        At ``at``.
    """
    holds = bound.comparison.holds
    far, near = (
        (metric.high, metric.low) if bound.comparison.is_upward else (metric.low, metric.high)
    )
    if not holds(far, bound.limit):
        how = "can never be true"
    elif holds(near, bound.limit):
        how = "is always true"
    else:
        return
    message = f"{write_bound(bound)} {how}: {metric.key} is {_range(metric)}"
    raise mistake(message, "", at)


def check_resolve(resolve: Bound, tiers: Mapping[str, Bound], metric: Metric | None) -> None:
    """Refuse a recovery that points the same way as its trigger, or overlaps it.

    Raises
    ------
    PydanticCustomError
        At the value itself.
    """
    trigger = _rising(tiers)[0][1]
    if resolve.comparison.is_upward == trigger.comparison.is_upward:
        message = (
            f"resolve at {write_bound(resolve)} points the same way as trigger at"
            f" {write_bound(trigger)}"
        )
        hint = f"write the recovery, such as {write_bound(_opposite(trigger))}"
        raise mistake(message, hint)
    is_upward = trigger.comparison.is_upward
    beyond = resolve.limit > trigger.limit if is_upward else resolve.limit < trigger.limit
    both = resolve.comparison.holds(trigger.limit, resolve.limit) and trigger.comparison.holds(
        trigger.limit, trigger.limit
    )
    if beyond or (resolve.limit == trigger.limit and both):
        message = (
            f"resolve at {write_bound(resolve)} overlaps trigger at {write_bound(trigger)}:"
            " a value could do both"
        )
        raise mistake(message, f"go no further than {write_bound(_opposite(trigger))}")
    if metric:
        check_range(resolve, metric)


def threshold_of(tiers: Mapping[str, Bound], resolve: Bound | None) -> Threshold:
    """Return the condition; recovery is the opposite of the lowest level by default."""
    rising = _rising(tiers)
    lowest = rising[0][1]
    return Threshold(
        lowest.comparison,
        tuple(Tier(Severity[word.upper()], bound.limit) for word, bound in rising),
        resolve or _opposite(lowest),
    )


def _rising(tiers: Mapping[str, Bound]) -> list[tuple[str, Bound]]:
    return [(word, tiers[word]) for word in _SEVERITIES if word in tiers]


def _opposite(bound: Bound) -> Bound:
    return Bound(bound.comparison.opposite, bound.limit)


def _range(metric: Metric) -> str:
    if math.isinf(metric.high):
        return f"{_exact(metric.low)} or more"
    return f"{_exact(metric.low)}-{_exact(metric.high)}"


def _exact(number: float) -> str:
    return repr(number).removesuffix(".0")
