"""What is remembered of each ratio: one column per quantity, one place per group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Rows = NDArray[np.intp] | slice

__all__ = ["DAY_HOURS", "NEVER", "SHIFTS", "WEEK_HOURS", "WINDOWS", "RatioState"]

WINDOWS: Final = 4
"""Over how many window lengths failures are counted."""
SHIFTS: Final = 2
"""Against how many raised rates failures are weighed."""
DAY_HOURS: Final = 24
WEEK_HOURS: Final = 168
NEVER: Final = -(2**62)

SHAPES: Final[dict[str, tuple[tuple[int, ...], type[np.generic]]]] = {
    "level_failures": ((), np.float32),
    "level_views": ((), np.float32),
    "recent_failures": ((), np.float32),
    "recent_expected": ((), np.float32),
    "lent_rate": ((), np.float32),
    "factors": ((3,), np.float32),
    "hour": ((), np.int32),
    "hour_failures": ((), np.float32),
    "hour_expected": ((), np.float32),
    "window_failures": ((WINDOWS,), np.float32),
    "window_expected": ((WINDOWS,), np.float32),
    "window_views": ((), np.float32),
    "scatter": ((WINDOWS,), np.float32),
    "scatter_weight": ((WINDOWS,), np.float32),
    "scatter_mean": ((WINDOWS,), np.float32),
    "sums": ((SHIFTS,), np.float32),
    "sums_since": ((), np.int64),
    "at": ((), np.int64),
    "seen": ((), np.float32),
    "doubted": ((), np.float32),
    "day_failures": ((DAY_HOURS,), np.float32),
    "day_expected": ((DAY_HOURS,), np.float32),
    "week_factor": ((WEEK_HOURS,), np.float16),
    "week_expected": ((WEEK_HOURS,), np.float16),
}
"""Shape before the groups' axis, and type, of each column."""

INITIAL: Final[dict[str, float]] = {"factors": 1.0, "week_factor": 1.0, "hour": -1, "at": NEVER}
LOOKED_UP: Final = {"lent_rate", "factors", "hour"}
"""What only the turn of an hour changes."""
PROFILE: Final = {"day_failures", "day_expected", "week_factor", "week_expected"}


@dataclass(slots=True, eq=False)
class RatioState:
    """The memory of a ratio detector, as columns whose last axis is the group.

    All counts are forgotten exponentially, so a column never overflows and a
    group costs the same for ever: 1.0 kB.

    Attributes
    ----------
    level_failures, level_views
        The long-term level: failures, and views weighted by the profile.
    recent_failures, recent_expected
        The last hour or so against the seasonal expectation.
    lent_rate
        Rate to believe in before own failures tell, from the parent or the class.
    factors
        Profile of the hours before, now and after, shape ``(3, groups)``.
    hour, hour_failures, hour_expected
        The hour that is filling (since the epoch), and its counts.
    window_failures, window_expected
        Counts over each window, shape ``(WINDOWS, groups)``.
    window_views
        Views in the longest window.
    scatter, scatter_weight, scatter_mean
        Squared deviation beyond counting noise, and squared and plain mean on
        the same scale, per window.
    sums, sums_since
        Cumulative sums against each shift; when the present excess began.
    at
        End of the last interval, `NEVER` before the first.
    seen
        How many intervals were learned from.
    doubted
        For how many intervals nothing has been learned.
    day_failures, day_expected, week_factor, week_expected
        The profile: hours of the day, and hours of the week on top of them.
    """

    level_failures: Floats
    level_views: Floats
    recent_failures: Floats
    recent_expected: Floats
    lent_rate: Floats
    factors: Floats
    hour: NDArray[np.int32]
    hour_failures: Floats
    hour_expected: Floats
    window_failures: Floats
    window_expected: Floats
    window_views: Floats
    scatter: Floats
    scatter_weight: Floats
    scatter_mean: Floats
    sums: Floats
    sums_since: NDArray[np.int64]
    at: NDArray[np.int64]
    seen: Floats
    doubted: Floats
    day_failures: Floats
    day_expected: Floats
    week_factor: Floats
    week_expected: Floats

    @classmethod
    def blank(cls, groups: int) -> Self:
        """Return the state of groups of which nothing is known."""
        return cls(
            **{
                name: np.full((*shape, groups), INITIAL.get(name, 0), dtype)
                for name, (shape, dtype) in SHAPES.items()
            }
        )

    def __len__(self) -> int:
        """Return how many groups there is room for."""
        return len(self.at)

    def grown(self, groups: int) -> RatioState:
        """Return the same state with room for more groups."""
        larger = RatioState.blank(groups)
        for name in SHAPES:
            getattr(larger, name)[..., : len(self)] = getattr(self, name)
        return larger

    def take(self, rows: Rows) -> RatioState:
        """Return some groups' columns, without the profile (views if ``rows`` is a slice)."""
        columns = {name: getattr(self, name) for name in SHAPES}
        for name in SHAPES.keys() - PROFILE:
            column = columns[name]
            is_slice = isinstance(rows, slice)
            columns[name] = column[..., rows] if is_slice else column.take(rows, axis=-1)
        return RatioState(**columns)

    def put(self, rows: Rows, taken: RatioState) -> None:
        """Write some groups' columns back, without what only an hour's turn changes."""
        for name in SHAPES.keys() - PROFILE - LOOKED_UP:
            getattr(self, name)[..., rows] = getattr(taken, name)

    def forget(self, rows: Rows) -> None:
        """Make some groups as new."""
        for name in SHAPES:
            getattr(self, name)[..., rows] = INITIAL.get(name, 0)

    def drop_evidence(self, rows: Rows) -> None:
        """Let windows and sums of some groups be as if all had been as expected."""
        self.window_failures[:, rows] = self.window_expected[:, rows]
        self.sums[:, rows] = 0

    def columns(self, groups: int) -> dict[str, NDArray[np.generic]]:
        """Return copies of the first groups' columns by name."""
        return {name: getattr(self, name)[..., :groups].copy() for name in SHAPES}

    @classmethod
    def restored(cls, columns: Mapping[str, NDArray[np.generic]]) -> Self:
        """Return a state from the columns of a snapshot.

        Raises
        ------
        ValueError
            If a column is missing, or of another shape or type, or not finite.
        """
        if set(columns) != set(SHAPES):
            strange = ", ".join(sorted(set(columns) ^ set(SHAPES)))
            message = f"the columns are not those of this detector: {strange}"
            raise ValueError(message)
        groups = columns["at"].shape[-1]
        for name, (shape, dtype) in SHAPES.items():
            column = columns[name]
            if column.shape != (*shape, groups) or column.dtype != dtype:
                message = f"column {name} is {column.dtype} {column.shape}, not of this detector"
                raise ValueError(message)
            if not np.isfinite(column).all():
                message = f"column {name} holds numbers that are not finite"
                raise ValueError(message)
        return cls(**{name: columns[name].copy() for name in SHAPES})  # type: ignore[arg-type]  # checked above
