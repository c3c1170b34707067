"""Which ticks matter: all those whose absence could be seen, and few others.

The engine ticks every second. A test of a day has 86,400 of them, and nearly
all change nothing: between two arrivals a verdict can change only when a
sample leaves its window, and a phase only when one of its durations has
passed. Those moments can be read off the state. Also kept is the last tick
before each of them and before each arrival, because a tick notes when a group
was last seen well or ill, and because audience metrics forget at ticks.

So a run over these ticks equals a run over all of them. A property test plays
random tests both ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.audience import LatestWindows
from playwatch.core.learned import PATIENCE, LearnedWatch
from playwatch.core.rules import NoDataPolicy
from playwatch.core.series import NEVER
from playwatch.core.silences import Silence
from playwatch.core.windows import BUCKETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.pipeline import Pipeline
    from playwatch.core.samples import Instant
    from playwatch.core.watches import Watch
    from playwatch.core.watching import AnyWatch

TICK_MS: Final = 1000

_MINUTE_MS: Final = 60_000

_Moments = np.ndarray[tuple[int], np.dtype[np.int64]]


def next_tick(
    pipeline: Pipeline,
    done: Instant,
    before_ms: int,
    began_ms: int = 0,
    *,
    is_last_due: bool = True,
) -> int | None:
    """Return the next tick that matters; None when there is none in time.

    Parameters
    ----------
    done
        The last tick, at a multiple of `TICK_MS` on the monotonic clock.
    before_ms
        Monotonic time of the next arrival; a tick at that time comes after it.
    began_ms
        Monotonic time since when the pipeline has listened.
    is_last_due
        False when nothing arrives at ``before_ms``.

    Notes
    -----
    O(groups with something going on). The answer holds until the pipeline
    takes a batch or a tick, so ask again after each.
    """
    last = (before_ms - 1) // TICK_MS * TICK_MS
    if last <= done.monotonic_ms:
        return None
    moments = [_moments(watch, done, began_ms) for watch in pipeline.watches if _is_moving(watch)]
    if pipeline.withheld:
        ends = [one.ends_at for one in pipeline.quiet if isinstance(one, Silence)]
        wall = np.array([_next_minute(done.at), *ends], np.int64)
        moments.append(wall - done.at + done.monotonic_ms)
    after = last if is_last_due else last + TICK_MS
    if moments:
        # The first tick at or after each moment, and the one before that.
        first = -(-np.concatenate(moments) // TICK_MS) * TICK_MS
        ticks = np.r_[first - TICK_MS, first]
        after = int(ticks[ticks > done.monotonic_ms].min(initial=after))
    return after if after <= last else None


def _is_moving(watch: AnyWatch) -> bool:
    if isinstance(watch, LearnedWatch):
        return watch.waiting > 0 or len(watch.groups) > 0
    return not watch.phases.is_idle or watch.rule.no_data.policy is NoDataPolicy.OPEN


def _moments(watch: AnyWatch, done: Instant, began_ms: int) -> _Moments:
    """Return when, on the monotonic clock, time alone may change something."""
    if isinstance(watch, LearnedWatch):
        return _looks(watch, done.monotonic_ms)
    clocks, rule = watch.windows.clocks, watch.rule
    gone_ms = round(rule.no_data.after_s * 1000)
    heard: _Moments = np.maximum(clocks.heard_ms[: len(watch.groups)], began_ms) + gone_ms
    group = watch.phases.active()
    group = group[clocks.newest_at[group] != NEVER]
    if not len(group):
        return heard
    events = np.column_stack([_ends(watch, group), _leaving(watch, group), _edges(watch, group)])
    if rule.active:
        at = clocks.now(group, done.monotonic_ms)
        events = np.column_stack([events, _next_minute(at)])
    monotonic = events - (clocks.newest_at - clocks.heard_ms)[group][:, None]
    moments: _Moments = np.r_[heard, monotonic[events > NEVER // 2]]
    return moments


def _looks(watch: LearnedWatch, monotonic_ms: int) -> _Moments:
    """Return when the next look of a learned rule may see something new."""
    if watch.waiting:
        return np.array([monotonic_ms + 1], np.int64)
    closes: _Moments = watch.intervals.closes_ms(len(watch.groups))
    group = watch.phases.active()
    if not len(group):
        return closes
    patience_ms = round(PATIENCE * watch.rule.window_s * 1000)
    now = watch.intervals.now(group, monotonic_ms)
    ahead_ms = np.maximum(watch.facts.judged_at[group] + patience_ms - now, TICK_MS)
    moments: _Moments = np.r_[closes, monotonic_ms + ahead_ms]
    return moments


def _ends(watch: Watch, group: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return when durations of some groups end, on their event clocks, one row each."""
    rule, phases = watch.rule, watch.phases
    seen_at = phases.seen_at[group]
    columns = [
        *(phases.over_since[group] + round(rule.for_s * 1000)).T,
        phases.clear_since[group] + round(rule.resolve_for_s * 1000),
        seen_at + round(rule.window_s * 1000),
        seen_at + round(rule.expire_after_s * 1000),
    ]
    if rule.flap_within_s:
        columns.append(phases.linger_until[group])
    return np.column_stack(columns)


def _leaving(watch: Watch, group: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return when what the windows hold leaves them; `NEVER` for nothing."""
    windows = watch.windows
    if not isinstance(windows, LatestWindows):
        head = windows.head[group, None]
        bucket = head - (head - np.arange(BUCKETS)) % BUCKETS
        leaves = (bucket + BUCKETS) * windows.bucket_ms
        return np.where(windows.samples[group] != 0, leaves, NEVER)
    is_heard = windows.series_at != NEVER
    mine = (windows.series_group == group[:, None]) & is_heard
    leaves = windows.series_at + round(watch.rule.window_s * 1000)
    return np.where(mine, leaves, NEVER)


def _edges(watch: Watch, group: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return when windows will have moved past a hole, and past their first sample."""
    windows = watch.windows
    since = np.column_stack([windows.clocks.hole_until[group], windows.clocks.first_at[group]])
    if isinstance(windows, LatestWindows):
        past = since + round(watch.rule.window_s * 1000)
    else:
        past = (-(-since // windows.bucket_ms) + BUCKETS - 1) * windows.bucket_ms
    return np.where(since > NEVER // 2, past, NEVER)


def _next_minute(at: NDArray[np.int64] | int) -> NDArray[np.int64] | int:
    return (at // _MINUTE_MS + 1) * _MINUTE_MS
