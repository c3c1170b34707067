"""The short notation of promtool for series and their values.

==========  =========================================================
``a+bxn``   ``a``, then ``n`` more, each ``b`` greater
``a-bxn``   ``a``, then ``n`` more, each ``b`` less
``axn``     ``a``, then ``n`` more of the same: ``1x4`` is five values
``_``       no sample
``_xn``     no sample, ``n`` times
``stale``   no sample: the series has ended
==========  =========================================================

References
----------
Prometheus, "Unit testing for rules", section "Series".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.refusals import Refused
from playwatch.core.spellings import clean_dimensions

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH_LIMIT: Final = 200_000
"""Values that one series may have."""

_NUMBER: Final = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_ITEM: Final = re.compile(
    rf"(?:(?P<gap>_)|(?P<first>[-+]?{_NUMBER})(?P<step>[-+]{_NUMBER})?)(?:x(?P<times>[0-9]+))?"
)
_SERIES: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_:-]*)\s*(?:\{(.*)\}\s*)?", re.DOTALL)
_PAIR: Final = re.compile(
    r"""\s*([A-Za-z_][A-Za-z0-9_.:-]*)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(,|\Z)""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ITEM_HINT: Final = "write 1, 1x9, 1+2x9, 10-1x9, _, _x9 or stale"
_SERIES_HINT: Final = 'write metric{cdn="fastly", country="SE"}'


class NotationError(ValueError):
    """A text is not in the notation; ``hint`` is a way out."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Say what is wrong, with the piece that is."""
        self.hint = hint
        super().__init__(message)


def expand(text: str) -> NDArray[np.float64]:
    """Return the values that a text stands for; NaN is no sample.

    Raises
    ------
    NotationError
        With the item that cannot be read and its number, counted from 1.

    Examples
    --------
    >>> expand("1+2x3 _ 8x1").tolist()
    [1.0, 3.0, 5.0, 7.0, nan, 8.0, 8.0]
    """
    parts: list[NDArray[np.float64]] = []
    length = 0
    for number, item in enumerate(text.split(), 1):
        count, first, step = _item(item, number)
        length += count
        if length > LENGTH_LIMIT:
            message = f"'{item}', item {number}, makes more than {LENGTH_LIMIT} values"
            raise NotationError(message)
        values: NDArray[np.float64] = first + step * np.arange(count, dtype=np.float64)
        parts.append(values)
        if not (np.isfinite(values).all() or np.isnan(first)):
            message = f"'{item}', item {number}, leaves the range of numbers"
            raise NotationError(message)
    return np.concatenate(parts) if parts else np.zeros(0)


def _item(item: str, number: int) -> tuple[int, float, float]:
    """Return how many values an item stands for, the first, and the step."""
    if item == "stale":
        return 1, np.nan, 0.0
    found = _ITEM.fullmatch(item)
    if found is None:
        raise NotationError(*_wrong(item, number))
    times = found["times"]
    # More digits than any length have no meaning but would take memory.
    count = min(int(times[:12]), LENGTH_LIMIT + 1) if times else 0
    if found["gap"]:
        return (count if times else 1), np.nan, 0.0
    if found["step"] and not times:
        message = f"'{item}', item {number}, has a step but no number of times"
        raise NotationError(message, f"write {item}x9, or a space between two values")
    first, step = float(found["first"]), float(found["step"] or 0)
    if not (np.isfinite(first) and np.isfinite(step * count)):
        message = f"'{item}', item {number}, leaves the range of numbers"
        raise NotationError(message)
    return count + 1, first, step


def _wrong(item: str, number: int) -> tuple[str, str]:
    message = f"'{item}', item {number}, is not a value"
    if item.strip("+-").lower() in {"nan", "inf"}:
        return message, "samples are finite; _ is no sample"
    if item.startswith("stale"):
        return message, "stale stands alone; _x9 leaves nine samples out"
    if item.startswith("{{"):
        return message, "histograms do not exist here"
    return message, _ITEM_HINT


def parse_series(text: str) -> tuple[str, dict[str, str]]:
    """Return metric and dimensions of ``metric{cdn="fastly"}``.

    Raises
    ------
    NotationError
        With what cannot be read, or why no sample could have such dimensions.
    """
    found = _SERIES.fullmatch(text)
    if found is None:
        message = f"'{text.strip()}' is not a series"
        raise NotationError(message, _SERIES_HINT)
    dimensions: dict[str, str] = {}
    inside = (found[2] or "").strip()
    at = 0
    while at < len(inside):
        pair = _PAIR.match(inside, at)
        if pair is None:
            message = f"'{inside[at:].strip()}' is not a dimension with its value"
            raise NotationError(message, _SERIES_HINT)
        if pair[1] in dimensions:
            message = f"{pair[1]} is given twice"
            raise NotationError(message)
        dimensions[pair[1]] = _ESCAPE.sub(r"\1", pair[2][1:-1])
        at = pair.end()
    try:
        return found[1], clean_dimensions(dimensions)
    except Refused as refused:
        raise NotationError(str(refused.detail)) from None
