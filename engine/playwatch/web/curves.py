"""What a chart of some curves shows, apart from how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Curve:
    """One line that rises in steps.

    Attributes
    ----------
    label
        In the legend; no name that somebody else gave.
    xs, ys
        Where it steps, in order, and to which height.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves on axes that begin at 0.

    Attributes
    ----------
    x_label, y_label
        What the axes measure, with the unit.
    """

    curves: Sequence[Curve]
    x_label: str
    y_label: str
