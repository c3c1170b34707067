"""What a detector remembers of each group, as rows of one block of float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.table import Block

    Floats = NDArray[np.float32]

__all__ = ["HEIGHTS", "STARTS", "TRACKERS", "Memory", "normal_rows"]

TRACKERS = ("season", "local", "agreed", "slow", "fresh")
"""Surprises whose tails are followed; see `playwatch_models.tails`."""
HEIGHTS = np.array([2.5, 3.5, 5.0, 7.0, 9.5, 13.0, 18.0, 25.0], np.float32)
"""Heights at which excursions are counted, in units of a group's own noise."""

_LONE = {
    "seen": 0.0,
    "level": 0.0,
    "offset": 0.0,
    "mean": 0.0,
    "size": 0.0,
    "local_noise": 0.0,
    "season_noise": 0.0,
    "recent_noise": 0.0,
    "drift": 0.0,
    "drift_noise": 0.0,
    "steadiest": 0.0,
    "steady_peak": 0.0,
    "settling": 0.0,
    "high": 0.0,
    "low": 0.0,
    "zeros": 0.0,
    "bin": -1.0,
    "bin_count": 0.0,
    "bin_sum": 0.0,
    "mean_views": 0.0,
    "unit_run": 0.0,
    "unit": 0.0,
    "frozen_s": 0.0,
    "quick": 0.0,
    "slow": 0.0,
    "before": 0.0,
    "lasting": 0.0,
    "recent": 0.0,
    "peak": 0.0,
    "peak_age_s": 0.0,
    "highest": 0.0,
    "verdicts": 0.0,
    "verdict_age_s": -1.0,
}
_TAILS = {f"tail_{name}": 2.5 for name in TRACKERS}
_EXCESSES = {f"excess_{name}": 0.6 for name in TRACKERS}
_RUNS = {f"run_{name}": 0.0 for name in TRACKERS}
_COUNTS = {f"count_{number}": 0.0 for number in range(len(HEIGHTS))}
_LASTS = {f"last_{number}": 0.0 for number in range(len(HEIGHTS))}

STARTS = {**_LONE, **_TAILS, **_EXCESSES, **_RUNS, **_COUNTS, **_LASTS}
"""What each quantity is for a group that nothing is known of."""


@dataclass(slots=True, eq=False)
class Memory:
    """Views of a block whose rows are `STARTS`, each of shape ``(n,)`` unless noted.

    Attributes
    ----------
    seen
        Intervals learned.
    level, offset, mean
        The last half hour; how far the day is off its profile; the long-run mean.
    size, local_noise, season_noise, recent_noise
        Mean absolute deviations: from the mean, from the level, from the profile, and
        from the level over the last ten intervals.
    drift, drift_noise, steadiest, steady_peak
        The last half hour of what the profile leaves, the noise around that, the highest
        steady surprise of the last weeks, and the highest of the excursion in progress.
    settling
        Intervals left until the group is judged again after a gap.
    high, low, zeros
        The range so far, slowly closing; the share of zeros.
    bin, bin_count, bin_sum
        The bin of the day in progress.
    mean_views
        Running mean of views, 0 where the stream brings none.
    unit_run, unit
        Intervals in a row that look like a change of unit, and its factor as a log.
    frozen_s
        How long learning has been held back.
    quick, slow, before, lasting, recent
        The agreed surprise smoothed over 3 and 9 intervals; the local one before; how
        long it has been odd; its height over the last hour.
    peak, peak_age_s, highest
        The excursion in progress, 0 for none; seconds since its peak; the highest ever,
        slowly forgotten.
    verdicts, verdict_age_s
        Strong verdicts of late, and seconds since the last; negative for none in progress.
    tails, excesses, runs
        For each of `TRACKERS` the level that 2 % exceed, by how much they do, and how
        many exceed it in a row; shape ``(5, n)``.
    counts, lasts
        For each of `HEIGHTS` the excursions that reached it, and the hour of the last
        one since the epoch; shape ``(8, n)``.
    """

    seen: Floats
    level: Floats
    offset: Floats
    mean: Floats
    size: Floats
    local_noise: Floats
    season_noise: Floats
    recent_noise: Floats
    drift: Floats
    drift_noise: Floats
    steadiest: Floats
    steady_peak: Floats
    settling: Floats
    high: Floats
    low: Floats
    zeros: Floats
    bin: Floats
    bin_count: Floats
    bin_sum: Floats
    mean_views: Floats
    unit_run: Floats
    unit: Floats
    frozen_s: Floats
    quick: Floats
    slow: Floats
    before: Floats
    lasting: Floats
    recent: Floats
    peak: Floats
    peak_age_s: Floats
    highest: Floats
    verdicts: Floats
    verdict_age_s: Floats
    tails: Floats
    excesses: Floats
    runs: Floats
    counts: Floats
    lasts: Floats

    @classmethod
    def of(cls, block: Block) -> Memory:
        """Return the block's rows by name; what is changed changes the block."""
        lone, kinds, heights = len(_LONE), len(TRACKERS), len(HEIGHTS)
        cuts = np.cumsum([lone, kinds, kinds, kinds, heights])
        return cls(*block[:lone], *np.split(block[lone:], cuts[1:] - lone))


def normal_rows() -> NDArray[np.intp]:
    """Return the rows of a block that say what is normal, which an incident must not teach."""
    follows = {"seen", "settling", "mean_views", "unit_run", "unit", "frozen_s"}
    traces = {"quick", "slow", "before", "lasting", "recent", "peak", "peak_age_s"}
    traces |= {"steady_peak"}
    traces |= {"verdicts", "verdict_age_s"}
    kept = [number for number, name in enumerate(STARTS) if name not in follows | traces]
    return np.array(kept, np.intp)
