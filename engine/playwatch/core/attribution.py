"""Where an excess comes from: the values of dimensions that carry most of it.

Of failures, `playwatch_models.causes` knows how many chance brings, and tells
causes apart. Of anything else, or of very many series, the search is greedy: a
value is named when it holds much more of the excess than of the traffic; first
the best single value, then within it the best one of another dimension, for as
long as hardly any of the excess is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.dimension_codes import MISSING
from playwatch.core.incidents import Cause
from playwatch_models.causes import ANY, Leaves, causes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.dimension_codes import DimensionCodes

LEAST_SHARE: Final = 0.5
"""What holds less of the excess is no cause."""
KEPT: Final = 0.8
"""What a further dimension must keep of the share."""
LEAST_LIFT: Final = 1.25
"""How much more of the excess than of the traffic it must hold."""
MOST_SERIES: Final = 20_000
MOST_SCANNED: Final = 6
"""Series and dimensions of which all combinations are looked at."""
_MOST_DIMENSIONS: Final = 3


def causes_of_failures(
    codes: DimensionCodes,
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    inside: NDArray[np.bool_],
    known: tuple[tuple[str, str], ...],
) -> tuple[Cause, ...] | None:
    """Return what explains extra failures, the strongest cause first.

    Parameters
    ----------
    observed, expected
        Failed views of each series, shape ``(series,)``.
    inside
        Which series the group holds.
    known
        The dimensions of the group itself, which explain nothing.

    Returns
    -------
    tuple or None
        Empty where the excess is everywhere; None where there are too many
        series or dimensions to look at all of their combinations.
    """
    names = [number for number, name in enumerate(codes.names) if name not in dict(known)]
    if int(inside.sum()) > MOST_SERIES or len(names) > MOST_SCANNED:
        return None
    values = codes.columns()[inside][:, names].astype(np.int64)
    # To the scan a missing value is one like any other; -1 means something else there.
    missing = len(codes.columns()) + 1
    values[values == MISSING] = missing
    found = []
    for one in causes(Leaves(values, observed[inside], expected[inside])):
        pairs = zip(names, one.values, strict=True)
        breakdowns = tuple(
            (codes.names[number], codes.values[number][code])
            for number, code in pairs
            if code not in {ANY, missing}
        )
        if breakdowns:
            found.append(Cause(round(one.share, 3), breakdowns))
    return tuple(found)


def causes_of(
    codes: DimensionCodes,
    excess: NDArray[np.float64],
    traffic: NDArray[np.float64],
    known: tuple[tuple[str, str], ...],
) -> tuple[Cause, ...]:
    """Return where an excess comes from; nothing where it is spread like the traffic.

    Parameters
    ----------
    excess, traffic
        What each series adds to either, shape ``(series,)``; 0 outside the group.
    known
        The dimensions of the group itself, which explain nothing.
    """
    columns = codes.columns()
    left = {number for number, name in enumerate(codes.names) if name not in dict(known)}
    inside = np.ones(len(excess), np.bool_)
    whole, share, weight = float(excess.sum()), 1.0, 1.0
    found: list[tuple[str, str]] = []
    traffic_sum = max(float(traffic.sum()), 1e-9)
    while left and whole > 0 and len(found) < _MOST_DIMENSIONS:
        best = max(
            (_best(columns[:, number], inside, excess, traffic, number) for number in left),
            default=(0.0, 0.0, 0, 0),
        )
        held, carried, number, code = best[0] / whole, best[1] / traffic_sum, best[2], best[3]
        enough = max(LEAST_SHARE, KEPT * share)
        if held < enough or held / share < LEAST_LIFT * carried / weight:
            break
        found.append((codes.names[number], codes.values[number][code]))
        inside &= columns[:, number] == code
        share, weight = held, carried
        left.discard(number)
    return (Cause(round(share, 3), tuple(found)),) if found else ()


def _best(
    column: NDArray[np.int32],
    inside: NDArray[np.bool_],
    excess: NDArray[np.float64],
    traffic: NDArray[np.float64],
    number: int,
) -> tuple[float, float, int, int]:
    """Return the value of a dimension that holds most: excess, traffic, where it is."""
    mine = inside & (column != MISSING)
    if not mine.any():
        return 0.0, 0.0, number, 0
    held = np.bincount(column[mine], excess[mine])
    code = int(held.argmax())
    carried = float(traffic[mine & (column == code)].sum())
    return float(held[code]), carried, number, code
