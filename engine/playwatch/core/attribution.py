"""Where an excess comes from: the values of dimensions that carry most of it.

A value is named when it holds much more of the excess than of the traffic.
The search is greedy: the best single value, then within it the best value of
another dimension, for as long as hardly any of the excess is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.dimension_codes import MISSING
from playwatch.core.incidents import Cause

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.dimension_codes import DimensionCodes

LEAST_SHARE: Final = 0.5
"""What holds less of the excess is no cause."""
KEPT: Final = 0.8
"""What a further dimension must keep of the share."""
LEAST_LIFT: Final = 1.25
"""How much more of the excess than of the traffic it must hold."""
_MOST_DIMENSIONS: Final = 3


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
