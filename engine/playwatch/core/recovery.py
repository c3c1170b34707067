"""Recovery: when a group that was anomalous is normal again.

A model adds evidence up over many intervals, so its evidence outlives the fault
by as many. Whether the fault is over is another question, with a test of its
own: two stories are held against each other, *still as bad as it was* and *as
expected*, and the incident ends when the second is a thousand times likelier
(Wald's sequential test). A gross fault is over after a few intervals; a small
one takes as long to be gone as it took to be seen.

What the model still holds against the group then opens nothing, unless a value
is outside its band again.

References
----------
Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16 (1945).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch_models.classes import MetricClass
from playwatch_models.decision import Call

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.group_facts import GroupFacts
    from playwatch_models.decision import Calls
    from playwatch_models.detector import Findings, Intervals

ENOUGH_NATS: Final = float(np.log(1000.0))
LEAST_INTERVALS: Final = 3
BAND_DEVIATIONS: Final = 3.0
"""How many standard deviations wide a band is, on either side."""
LEAST_SHIFT: Final = 0.5
MOST_SHIFT: Final = 3.0
"""Standard deviations between the two stories: a fault that fades is still a fault."""
_LEARNS: Final = 0.25


def settle(
    facts: GroupFacts,
    intervals: Intervals,
    findings: Findings,
    calls: Calls,
    is_open: NDArray[np.bool_],
    *,
    kind: MetricClass = MetricClass.GAUGE,
) -> NDArray[np.bool_]:
    """Return which open groups are normal again, and hold old evidence of others back.

    Parameters
    ----------
    calls
        Changed in place: a breach that only old evidence speaks for is held.
    is_open
        Which of the groups have an incident.
    kind
        Of the metric: percentages of views count failures.

    Notes
    -----
    O(n). Without a band, as while a model learns, nothing is decided here.
    """
    group = intervals.group
    # Only an incident has a side of its own.
    is_upward = np.where(is_open, facts.is_upward[group], findings.is_upward)
    away = _deviations(is_upward, intervals, findings)
    is_known = np.isfinite(away)
    away = np.where(is_known, away, 0.0)
    is_old = facts.is_sceptical[group] & is_known & (away <= BAND_DEVIATIONS)
    calls.call[is_old & (calls.call == Call.BREACH)] = Call.HOLD
    facts.is_sceptical[group[calls.call == Call.CLEAR]] = False

    is_bad = is_open & (calls.call == Call.BREACH)
    shift = facts.shift[group]
    shift = np.where(is_bad, shift + _LEARNS * (away - shift), shift)
    shift = np.where(is_bad & (facts.calm[group] < 0), away, shift)
    facts.shift[group] = shift
    step = np.clip(shift, LEAST_SHIFT, MOST_SHIFT)
    gain = step * step / 2 - step * away
    if kind is MetricClass.RATIO:
        gain = np.minimum(gain, step * _deviation(findings) / 100 * intervals.views)
    back = np.where(is_open & is_known, np.maximum(facts.back[group] + gain, 0.0), 0.0)
    facts.back[group] = back
    calm = np.where(back > 0, np.maximum(facts.calm[group], 0) + 1, 0)
    facts.calm[group] = np.where(is_open, calm, -1)
    is_over: NDArray[np.bool_] = (back >= ENOUGH_NATS) & (calm >= LEAST_INTERVALS)
    facts.is_sceptical[group[is_over]] = True
    return is_over


def _deviation(findings: Findings) -> NDArray[np.float64]:
    """Return the standard deviation of each value on its wider side; NaN without a band."""
    width = np.maximum(findings.high - findings.expected, findings.expected - findings.low)
    return width / BAND_DEVIATIONS


def _deviations(
    is_upward: NDArray[np.bool_], intervals: Intervals, findings: Findings
) -> NDArray[np.float64]:
    """Return how far each value is on the bad side of what is expected, in deviations."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # A band without any width on a side tells nothing there.
        up = (intervals.value - findings.expected) / (findings.high - findings.expected)
        down = (findings.expected - intervals.value) / (findings.expected - findings.low)
    return np.where(is_upward, up, down) * BAND_DEVIATIONS
