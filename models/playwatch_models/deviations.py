"""What is remembered of each group's deviation, from its first sign until it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Deviations"]

NEVER: Final = -(2**62)
TYPES: Final[dict[str, type[np.generic]]] = {
    "total": np.float64,
    "peak": np.float64,
    "affected": np.float64,
    "since_at": np.int64,
    "ended_at": np.int64,
    "calm": np.int32,
    "reopened": np.int32,
    "is_open": np.bool_,
}


@dataclass(slots=True, eq=False)
class Deviations:
    """One column per quantity, one place per group; 49 bytes a group.

    Attributes
    ----------
    total
        How far scores have been above the reference, summed.
    peak
        Highest strength of the present run; 0 without one.
    affected
        Excess since the deviation began.
    since_at
        When it began, milliseconds; 0 without one.
    ended_at
        When the last incident ended, milliseconds.
    calm
        Judged intervals since the last surprising one.
    reopened
        How often the last incident was opened again.
    is_open
        Whether an incident is open.
    """

    total: NDArray[np.float64]
    peak: NDArray[np.float64]
    affected: NDArray[np.float64]
    since_at: NDArray[np.int64]
    ended_at: NDArray[np.int64]
    calm: NDArray[np.int32]
    reopened: NDArray[np.int32]
    is_open: NDArray[np.bool_]

    @classmethod
    def blank(cls, groups: int) -> Self:
        """Return groups that never deviated."""
        columns: dict[str, Any] = {
            name: np.full(groups, NEVER if name == "ended_at" else 0, dtype)
            for name, dtype in TYPES.items()
        }
        return cls(**columns)

    def __len__(self) -> int:
        """Return how many groups there are."""
        return len(self.total)

    def take(self, group: NDArray[np.int32] | slice) -> Deviations:
        """Return copies of some groups' columns."""
        return Deviations(**{name: getattr(self, name)[group].copy() for name in TYPES})

    def put(self, group: NDArray[np.int32] | slice, taken: Deviations) -> None:
        """Write some groups' columns back."""
        for name in TYPES:
            getattr(self, name)[group] = getattr(taken, name)

    def move(
        self,
        at: NDArray[np.int64],
        strength: NDArray[np.float64],
        opens: NDArray[np.bool_],
        is_reopening: NDArray[np.bool_],
        is_calm: NDArray[np.bool_],
    ) -> None:
        """Open, go on, end."""
        closes = self.is_open & is_calm
        self.peak = np.where(is_calm, 0.0, np.maximum(self.peak, strength))
        self.is_open = (self.is_open | opens) & ~closes
        self.ended_at = np.where(closes, at, self.ended_at)
        again = np.where(is_reopening, self.reopened + 1, 0)
        self.reopened = np.where(opens, again, self.reopened).astype(np.int32)
        self.total = np.where(closes, 0.0, self.total)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of all columns by name."""
        return {name: getattr(self, name).copy() for name in TYPES}

    @classmethod
    def restored(cls, columns: Mapping[str, NDArray[np.generic]]) -> Self:
        """Return the columns of a snapshot as groups.

        Raises
        ------
        ValueError
            If a column is missing, or of another length or type, or not finite.
        """
        missing = ", ".join(TYPES.keys() - columns.keys())
        if missing:
            message = f"the columns of a decider are missing: {missing}"
            raise ValueError(message)
        groups = len(columns["total"])
        for name, dtype in TYPES.items():
            column = columns[name]
            if column.shape != (groups,) or column.dtype != dtype or not np.isfinite(column).all():
                message = f"column {name} is {column.dtype} {column.shape}, not one of a decider"
                raise ValueError(message)
        copies: dict[str, Any] = {name: columns[name].copy() for name in TYPES}
        return cls(**copies)
