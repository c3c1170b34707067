"""How strong the evidence of one interval is: a burst, or a drift.

`weigh` asks two questions of every group and answers with powers of ten (how
rarely chance brings as much). See `playwatch_models.evidence` for the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch_models.dispersion import EFFECTIVE, KEEP, spread
from playwatch_models.rates import HIGHEST_RATE, recent_factor, seasonal_rate
from playwatch_models.ratio_state import NEVER, WINDOWS
from playwatch_models.surprise import DECADE, shift_nats, tail_nats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.dispersion import ClassNoise
    from playwatch_models.ratio_state import Floats, RatioState

__all__ = ["DOUBT", "LEARN_INTERVALS", "Weighed", "age", "recover", "weigh"]

LEARN_INTERVALS: Final = 30
"""A group is judged once so many intervals of it have been seen."""
DOUBT: Final = 3.0
"""Score from which an interval teaches nothing."""
LONGEST_GAP: Final = 30
"""Intervals of silence after which windows and sums start anew."""
LATE: Final = 1.5
"""Intervals since the last one from which it was not the one before."""

TIMES: Final = np.array([[2.5], [6.0]], np.float32)
PLUS: Final = np.array([[0.002], [0.01]], np.float32)
"""The raised rates: so many times the expected one, plus so much."""
MOST_NATS: Final = 25.0
SUM_HALF_LIFE_S: Final = 3 * 3600.0
"""Sums are capped and fade, so that they come down where few views speak against them."""
SUM_PENALTY: Final = 1.0
"""Powers of ten that the sums are taken down for being asked as well."""

LEARNING_CREDIT: Final = 1.0
"""Failures that halve the uncertainty of a level never seen."""
UNSURE_DEVIATIONS: Final = 3.0
"""How far off the expectation itself may be before sums take it for a rise."""
CERTAINTY: Final = 3.0
"""Powers of ten that all views failing must reach, or they are too few."""
RESTLESS: Final = 1.0
"""Score above which it is asked whether the deviation is over."""
RECOVERED_NATS: Final = 5.0


@dataclass(slots=True, eq=False)
class Weighed:
    """One interval of some groups, weighed; columns of one length ``n``.

    Attributes
    ----------
    is_known, is_judged
        Whether there is a value with views; whether they are enough to be evidence.
    views, failures
        What the interval brought; 0 where nothing is known.
    seasonal
        What `rates.seasonal_rate` answered.
    expected
        Failures expected, the last hour considered.
    window_failures, window_expected, spread
        Per window, shape ``(WINDOWS, n)``.
    uncertainty
        Relative variance of the expectation itself.
    sums
        Cumulative sums in nats, shape ``(SHIFTS, n)``.
    score
        Powers of ten, 0 or more.
    is_drift
        True where the sums say more than the windows.
    """

    is_known: NDArray[np.bool_]
    is_judged: NDArray[np.bool_]
    views: Floats
    failures: Floats
    seasonal: tuple[Floats, Floats, Floats]
    expected: Floats
    window_failures: Floats
    window_expected: Floats
    spread: Floats
    uncertainty: Floats
    sums: Floats
    score: Floats
    is_drift: NDArray[np.bool_]


def weigh(
    state: RatioState,
    middle: NDArray[np.int64],
    share: NDArray[np.float64],
    views: NDArray[np.float64],
    noise: ClassNoise,
    step_s: float,
) -> Weighed:
    """Compare an interval with what was expected of it; changes nothing.

    Parameters
    ----------
    middle
        The middle of each interval, milliseconds since the epoch.
    share
        Failed views as a fraction; outside 0 to 1 and NaN are not judged.
    views
        Views; 0 and NaN are not judged.
    noise
        What to believe of the scatter without evidence.
    """
    with np.errstate(invalid="ignore"):
        is_known = (views > 0) & (share >= 0) & (share <= 1) & np.isfinite(views)
    counted = np.where(is_known, views, 0).astype(np.float32)
    failures = counted * np.where(is_known, share, 0).astype(np.float32)
    seasonal = seasonal_rate(state, middle)
    rate = np.minimum(seasonal[2] * np.maximum(recent_factor(state), 1), HIGHEST_RATE)
    expected = counted * rate

    uncertainty = LEARNING_CREDIT / (LEARNING_CREDIT + state.level_failures)
    seen = KEEP * state.window_failures + failures
    due = KEEP * state.window_expected + expected
    known = spread(state, EFFECTIVE * due, noise)
    burst = tail_nats(seen, due, known + uncertainty, KEEP).max(axis=0) / DECADE
    sums = _summed(state, failures, expected, counted, known, uncertainty, step_s)
    drift = sums.max(axis=0) / DECADE - SUM_PENALTY

    window_views = KEEP[-1] * state.window_views + counted
    is_enough = window_views * (-np.log(rate) - 1) > CERTAINTY * DECADE
    is_judged = is_known & is_enough
    counts = is_judged & (state.seen >= LEARN_INTERVALS)
    score = np.where(counts, np.maximum(burst, drift), 0).clip(0)
    return Weighed(
        is_known=is_known,
        is_judged=is_judged,
        views=counted,
        failures=failures,
        seasonal=seasonal,
        expected=expected,
        window_failures=seen,
        window_expected=due,
        spread=known,
        uncertainty=uncertainty,
        sums=sums,
        score=score,
        is_drift=drift > burst,
    )


def _summed(
    state: RatioState,
    failures: Floats,
    expected: Floats,
    views: Floats,
    known: Floats,
    uncertainty: Floats,
    step_s: float,
) -> Floats:
    """Return the cumulative sums with this interval, shape ``(SHIFTS, n)``."""
    wander = np.sqrt(np.maximum(known[2], known[3])) + UNSURE_DEVIATIONS * np.sqrt(uncertainty)
    normal = expected * (1 + wander)
    raised = TIMES + PLUS * views / np.maximum(normal, 1e-9)
    nats = shift_nats(failures, normal, raised, known[0] + uncertainty)
    # What comes in runs counts as often as it is independent.
    apart = (1 + expected * known[0]) / (1 + 10 * expected * known[2])
    keep = np.float32(0.5 ** (step_s / SUM_HALF_LIFE_S))
    sums: Floats = np.clip(keep * state.sums + np.minimum(apart, 1) * nats, 0, MOST_NATS)
    return sums


def age(state: RatioState, at: NDArray[np.int64], step_s: float) -> None:
    """Let the windows forget what a silence before ``at`` has made old."""
    steps = (at - state.at) / (step_s * 1000)
    is_late = (steps > LATE) & (state.at != NEVER)
    if not is_late.any():
        return
    is_gone = is_late & (steps > LONGEST_GAP)
    keep = np.where(is_late, KEEP ** np.where(is_late, np.minimum(steps, LONGEST_GAP) - 1, 0), 1)
    keep[:, is_gone] = 0
    state.window_failures = state.window_failures * keep.astype(np.float32)
    state.window_expected = state.window_expected * keep.astype(np.float32)
    state.window_views = state.window_views * keep[-1].astype(np.float32)
    state.sums = np.where(is_gone, np.float32(0), state.sums)


def recover(state: RatioState, weighed: Weighed) -> None:
    """Empty the windows that a shorter one contradicts."""
    hot = np.flatnonzero(weighed.score > RESTLESS)
    if len(hot) == 0:
        return
    seen, due = weighed.window_failures[:, hot], weighed.window_expected[:, hot]
    raised = np.maximum(seen / np.maximum(due, 1e-9), 1)
    for short in range(WINDOWS - 1):
        known = weighed.spread[short, hot] + weighed.uncertainty[hot]
        against = -shift_nats(seen[short], due[short], raised[short + 1 :], known)
        is_calm = tail_nats(seen[short], due[short], known, KEEP[short]) < DECADE
        is_over = (against > RECOVERED_NATS) & is_calm
        for place, ends in enumerate(is_over, start=short + 1):
            rows = hot[ends]
            state.window_failures[place, rows] = state.window_expected[place, rows]
        state.sums[:, hot[is_over.any(axis=0)]] = 0
