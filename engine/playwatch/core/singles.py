"""Samples counted one at a time, where they are too few for columns.

A call into numpy costs about a microsecond, whatever it does; for the handful
of samples that one read brings a rule at a moderate rate, that is most of the
work. So a handful is counted by a loop over plain numbers, in the same memory
that the columns use.

The loop judges nothing. It tells which groups stay calm beyond doubt: normal,
and far enough from every bound that rounding cannot matter. All others are left
to the columns, and so is a handful with a group that is new, or new again after
a start.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from playwatch.core.rules import NoDataPolicy
from playwatch.core.series import NEVER, cells
from playwatch.core.windows import BUCKETS, RingWindows

if TYPE_CHECKING:
    from playwatch.core.dispatch import Few
    from playwatch.core.phase_columns import PhaseColumns
    from playwatch.core.rules import Rule, Threshold

# Sums taken in another order differ in their last digits.
_DOUBT = 1e-9


class Singles:
    """The windows and phases of one rule, for a loop.

    Parameters
    ----------
    rule, condition
        The rule and its condition.
    windows, phases
        Its columns. They are written in place; when they move, as they do to
        grow, this object is of the past.

    Notes
    -----
    2 µs a sample with its group.
    """

    def __init__(
        self, rule: Rule, condition: Threshold, windows: RingWindows, phases: PhaseColumns
    ) -> None:
        clocks = windows.clocks
        self._bucket_ms = windows.bucket_ms
        self._weighs_by_views = windows.weighs_by_views
        self._recount = windows.recount
        self._newest, self._heard = cells(clocks.newest_at), cells(clocks.heard_ms)
        self._first, self._resumed = cells(clocks.first_at), cells(clocks.resumed_from)
        self._head, self._phase = cells(windows.head), cells(phases.phase)
        self._sums, self._views = cells(windows.sums), cells(windows.views)
        self._samples = cells(windows.samples)
        self._total_sums = cells(windows.total_sums)
        self._total_views = cells(windows.total_views)
        self._total_samples = cells(windows.total_samples)
        self._sign = 1 if condition.comparison.is_upward else -1
        bound = self._sign * condition.tiers[0].limit
        self._near = bound - abs(bound) * _DOUBT - _DOUBT
        self._is_armed: Any = None
        if rule.no_data.policy is NoDataPolicy.OPEN:
            self._is_armed = cells(phases.is_armed)

    @staticmethod
    def fit(rule: Rule, windows: object) -> bool:
        """Return whether a rule's samples can be counted one at a time.

        Silence within one bucket must not be long enough to mean anything.
        """
        if type(windows) is not RingWindows:
            return False
        is_deaf = rule.no_data.policy is NoDataPolicy.KEEP
        return is_deaf or rule.no_data.after_s * 1000 > windows.bucket_ms

    def take(self, few: Few, monotonic_ms: int) -> tuple[list[int], int] | None:
        """Count samples; return the groups to judge, and how many samples were late.

        Returns
        -------
        list of int and int, or None
            None where the columns must count them; nothing is counted then.
        """
        if not self._hear(few, monotonic_ms):
            return None
        late = self._pour(few)
        return self._restless(few, monotonic_ms), late

    def _hear(self, few: Few, monotonic_ms: int) -> bool:
        """Move the clocks on; return False where a group needs more than that."""
        newest, heard, head = self._newest, self._heard, self._head
        first, resumed, bucket_ms = self._first, self._resumed, self._bucket_ms
        for group in few.group:
            if first[group] == NEVER or resumed[group] != NEVER:
                return False
        for group, at in zip(few.group, few.at, strict=True):
            if at > newest[group]:
                newest[group] = at
                heard[group] = monotonic_ms
                bucket = at // bucket_ms
                if bucket > head[group]:
                    self._enter(group, head[group], bucket)
        return True

    def _enter(self, group: int, head: int, bucket: int) -> None:
        """Empty the buckets that a clock has newly entered, up to its new head."""
        first = group * BUCKETS
        was_empty = True
        for number in range(max(head, bucket - BUCKETS) + 1, bucket + 1):
            slot = first + number % BUCKETS
            if self._samples[slot]:
                was_empty = False
                self._total_views[group] -= self._views[slot]
                self._total_samples[group] -= self._samples[slot]
                self._samples[slot] = 0
            self._sums[slot] = 0.0
            self._views[slot] = 0
        if not was_empty:
            self._total_sums[group] = math.fsum(self._sums[first : first + BUCKETS])
        self._head[group] = bucket

    def _pour(self, few: Few) -> int:
        """Add samples to their buckets; return how many were too late for one."""
        head, bucket_ms, is_weighed = self._head, self._bucket_ms, self._weighs_by_views
        sums, views, samples = self._sums, self._views, self._samples
        total_sums, total_views = self._total_sums, self._total_views
        total_samples = self._total_samples
        late = 0
        for group, at, value, weight in zip(few.group, few.at, few.value, few.views, strict=True):
            bucket = at // bucket_ms
            if bucket <= head[group] - BUCKETS:
                late += 1
                continue
            slot = group * BUCKETS + bucket % BUCKETS
            added = value * weight if is_weighed else value
            sums[slot] += added
            views[slot] += weight
            samples[slot] += 1
            total_sums[group] += added
            total_views[group] += weight
            total_samples[group] += 1
        return late

    def _restless(self, few: Few, monotonic_ms: int) -> list[int]:
        """Return the groups that may not stay as they are."""
        phase, newest, heard, head = self._phase, self._newest, self._heard, self._head
        sums, views, is_armed = self._total_sums, self._total_views, self._is_armed
        sign, near, bucket_ms = self._sign, self._near, self._bucket_ms
        is_weighed = self._weighs_by_views
        restless = []
        for group in set(few.group):
            weight = views[group] if is_weighed else 1
            if (
                phase[group]  # not normal
                or not sign * sums[group] < near * weight
                # Where the clock runs on into a new bucket, the totals hold too much.
                or (newest[group] + monotonic_ms - heard[group]) // bucket_ms > head[group]
                or (is_armed is not None and not is_armed[group])
            ):
                restless.append(group)
        return sorted(restless)
