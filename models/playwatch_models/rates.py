"""The failure rate to expect: a level, times the hour of the week, times the last hour.

Three memories of different length, each shrunk towards the slower one by how
many failures it has seen. So a title with three views a minute keeps to what
its parent does, and a whole service follows its own curve within a day.

* The **level** forgets half in two days.
* The **profile** holds a factor for each hour of the day, and on top of it one
  for each hour of the week; until it has been seen often enough, the parent's.
* The **last hour** may raise the expectation and never lowers it: what is
  unusual must be so against this hour of the week *and* against an hour ago.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch_models.ratio_state import DAY_HOURS, WEEK_HOURS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.ratio_state import Floats, RatioState

__all__ = ["HOUR_MS", "learn_rates", "recent_factor", "seasonal_rate", "turn_hour"]

HOUR_MS: Final = 3_600_000
MONDAY: Final = 96
"""Hours from the first Monday back to the epoch, a Thursday."""

LOWEST_RATE: Final = 1e-4
HIGHEST_RATE: Final = 0.6
LEVEL_HALF_LIFE_S: Final = 2 * 86400.0
RECENT_HALF_LIFE_S: Final = 3600.0

# How many failures of one's own weigh as much as what is believed without them.
LEVEL_CREDIT: Final = 0.5
RECENT_CREDIT: Final = 15.0
HOUR_CREDIT: Final = 20.0

DAY_KEEP: Final = 0.75
"""What an hour of the day keeps from one day to the next."""
WEEK_KEEP: Final = 0.5
WEEK_MOST: Final = 2000.0
"""More failures than these tell no more of an hour of the week (and keep float16 exact)."""


def seasonal_rate(state: RatioState, middle: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return the level, the profile's factor, and their product, as fractions of views.

    Parameters
    ----------
    middle
        The middle of each group's interval, milliseconds since the epoch.
    """
    level = (state.level_failures + LEVEL_CREDIT) / (
        state.level_views + LEVEL_CREDIT / np.maximum(state.lent_rate, LOWEST_RATE)
    )
    # Against the hour that is filling: an open interval may be a little ahead of it.
    through = np.clip(middle / HOUR_MS - state.hour - 0.5, -1, 1).astype(np.float32)
    before, here, after = state.factors
    factor = here + np.abs(through) * (np.where(through < 0, before, after) - here)
    return level, factor, np.clip(level * factor, LOWEST_RATE, HIGHEST_RATE)


def recent_factor(state: RatioState) -> Floats:
    """Return how the last hour compares with the seasonal expectation."""
    factor: Floats = (state.recent_failures + RECENT_CREDIT) / (
        state.recent_expected + RECENT_CREDIT
    )
    return factor


def learn_rates(
    state: RatioState,
    taught: NDArray[np.bool_],
    views: Floats,
    failures: Floats,
    seasonal: tuple[Floats, Floats, Floats],
    step_s: float,
) -> None:
    """Move level, last hour and the hour's counts by one interval.

    Parameters
    ----------
    taught
        Which groups learn; the others keep all as it was.
    failures
        Failed views, already clipped.
    seasonal
        What `seasonal_rate` answered.
    """
    level, factor, rate = seasonal
    views, failures = views * taught, failures * taught
    keep = np.where(taught, np.float32(0.5 ** (step_s / LEVEL_HALF_LIFE_S)), 1)
    state.level_failures = keep * state.level_failures + failures
    state.level_views = keep * state.level_views + views * factor
    keep = np.where(taught, np.float32(0.5 ** (step_s / RECENT_HALF_LIFE_S)), 1)
    state.recent_failures = keep * state.recent_failures + failures
    state.recent_expected = keep * state.recent_expected + views * rate
    state.hour_failures = state.hour_failures + failures
    state.hour_expected = state.hour_expected + views * level


def turn_hour(
    whole: RatioState,
    rows: NDArray[np.intp],
    hour: NDArray[np.int64],
    parents: NDArray[np.int32],
    class_rate: float,
) -> None:
    """Close the hour that some groups were filling and look up the new one's factors.

    Parameters
    ----------
    whole
        The state of all groups; changed in place.
    rows
        The groups whose hour is over, or that never had one.
    hour
        Their new hour, counted from the epoch.
    parents
        For every group the row it borrows from, or -1.
    class_rate
        What to expect of a group without a parent, fraction of views.
    """
    _close(whole, rows, parents[rows])
    parent = parents[rows]
    has_parent = (parent >= 0) & (whole.level_failures[parent] > LEVEL_CREDIT)
    lent = whole.level_failures[parent] / np.maximum(whole.level_views[parent], 1)
    whole.lent_rate[rows] = np.where(has_parent, lent, class_rate)
    for place, ahead in enumerate((-1, 0, 1)):
        whole.factors[place, rows] = _factor(whole, rows, parent, hour + ahead)
    whole.hour[rows] = hour
    whole.hour_failures[rows] = 0
    whole.hour_expected[rows] = 0


def _close(whole: RatioState, rows: NDArray[np.intp], parent: NDArray[np.int32]) -> None:
    """Put the hour's counts into the profile."""
    has_hour = whole.hour[rows] >= 0
    rows, parent = rows[has_hour], parent[has_hour]
    hour = whole.hour[rows]
    failures, expected = whole.hour_failures[rows], whole.hour_expected[rows]
    of_day = hour % DAY_HOURS
    whole.day_failures[of_day, rows] = DAY_KEEP * whole.day_failures[of_day, rows] + failures
    whole.day_expected[of_day, rows] = DAY_KEEP * whole.day_expected[of_day, rows] + expected

    of_week = (hour + MONDAY) % WEEK_HOURS
    expected = expected * _day_factor(whole, rows, parent, hour)
    kept = WEEK_KEEP * whole.week_expected[of_week, rows].astype(np.float32)
    before = kept * whole.week_factor[of_week, rows]
    mass = np.maximum(kept + expected, 1e-3)
    whole.week_factor[of_week, rows] = np.clip((before + failures) / mass, 0, 100)
    whole.week_expected[of_week, rows] = np.minimum(mass, WEEK_MOST)


def _factor(
    whole: RatioState, rows: NDArray[np.intp], parent: NDArray[np.int32], hour: NDArray[np.int64]
) -> Floats:
    """Return the profile at an hour of the week, the parent's where it knows no better."""
    of_week = (hour + MONDAY) % WEEK_HOURS
    lent = np.where(parent >= 0, _week_factor(whole, parent, of_week, np.float32(1.0)), 1.0)
    factor = _week_factor(whole, rows, of_week, lent) * _day_factor(whole, rows, parent, hour)
    return np.clip(factor, 0.1, 10.0).astype(np.float32)


def _week_factor(
    whole: RatioState,
    rows: NDArray[np.intp] | NDArray[np.int32],
    of_week: NDArray[np.int64],
    lent: Floats | np.float32,
) -> Floats:
    mass = whole.week_expected[of_week, rows].astype(np.float32)
    factor: Floats = (mass * whole.week_factor[of_week, rows] + HOUR_CREDIT * lent) / (
        mass + HOUR_CREDIT
    )
    return factor


def _day_factor(
    whole: RatioState,
    rows: NDArray[np.intp],
    parent: NDArray[np.int32],
    hour: NDArray[np.int64] | NDArray[np.int32],
) -> Floats:
    of_day = hour % DAY_HOURS
    lent = (whole.day_failures[of_day, parent] + HOUR_CREDIT) / (
        whole.day_expected[of_day, parent] + HOUR_CREDIT
    )
    lent = np.where(parent >= 0, lent, np.float32(1))
    factor: Floats = (whole.day_failures[of_day, rows] + HOUR_CREDIT * lent) / (
        whole.day_expected[of_day, rows] + HOUR_CREDIT
    )
    return factor
