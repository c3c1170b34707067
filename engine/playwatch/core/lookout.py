"""The lookout asks every rule about the samples that concern it, and no other."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.audience import LatestWindows
from playwatch.core.dispatch import Dispatch, Part
from playwatch.core.learned import LearnedWatch
from playwatch.core.replacement import by_metric
from playwatch.core.samples import FEW
from playwatch.core.vacancies import vacate
from playwatch.core.watches import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from playwatch.core.casebook import Turn
    from playwatch.core.replacement import Settled
    from playwatch.core.samples import Instant
    from playwatch.core.series import SeriesTable
    from playwatch.core.watching import AnyWatch


AT_ONCE: Final = 5_000
"""How many groups of a rule are given up in one step."""


class Lookout:
    """Rules at work, and which samples each of them wants.

    Parameters
    ----------
    series
        The table that batches refer to.
    watches
        The rules at work. Those that learn keep every sample of their metric
        for the next tick; the others judge at once what is theirs.
    few
        Up to so many samples of a rule are counted by a loop instead of in columns.

    Attributes
    ----------
    judging
        The rules whose bounds are written down, in their order.
    """

    def __init__(self, series: SeriesTable, watches: Iterable[AnyWatch], *, few: int = FEW) -> None:
        watches = list(watches)
        self._series = series
        self.judging = [watch for watch in watches if isinstance(watch, Watch)]
        self._learning: dict[int, list[LearnedWatch]] = defaultdict(list)
        for watch in watches:
            if isinstance(watch, LearnedWatch):
                self._learning[watch.metric_id].append(watch)
        self._dispatch = Dispatch(series, [watch.groups for watch in self.judging], few)
        self._has_begun = False

    def take(self, settled: Settled, now: Instant) -> tuple[list[Turn], int]:
        """Count a batch and judge the groups it touched; return also how many were late."""
        if not self._has_begun:
            self._has_begun = True
            for watch in self.judging:
                watch.begin(now.monotonic_ms)
        turns, late = self._judge(settled, now.monotonic_ms)
        if self._learning:
            turns += self._keep(settled, now.monotonic_ms)
        return turns, late

    def holds(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return of which series some rule still keeps something."""
        held = np.zeros(len(rows), np.bool_)
        for watch in self.judging:
            if isinstance(watch.windows, LatestWindows):
                held |= watch.windows.holds(rows)
        for learned in chain.from_iterable(self._learning.values()):
            held |= learned.groups.holds(rows)
        return held

    def give_up(
        self, silent: NDArray[np.intp], newest_at: int, silent_ms: int, crowded: Iterable[int] = ()
    ) -> None:
        """Give up groups of which nothing has been heard for a time.

        Parameters
        ----------
        silent
            The rows of series that have been silent for as long. Who wants them
            is found out anew when they are heard.
        newest_at
            The newest time of the stream.
        crowded
            Metrics of which new series find no room.
        """
        for metric in crowded:
            # A rule that hears nothing but what finds no room does not look by itself.
            for learned in self._learning.get(metric, ()):
                vacate(learned, self._series, newest_at - silent_ms)
        self._dispatch.forget(silent)
        for number, watch in enumerate(self.judging):
            rows = watch.silent_groups(newest_at, silent_ms)
            if len(rows):
                rows = rows[~self._dispatch.in_use(number)[rows]]
                watch.give_up(rows[:AT_ONCE])

    def forget(self, rows: NDArray[np.intp]) -> None:
        """Forget series that no rule holds, so that others may take their rows."""
        self._dispatch.forget(rows)
        for learned in chain.from_iterable(self._learning.values()):
            learned.groups.forget(rows)

    def _judge(self, settled: Settled, monotonic_ms: int) -> tuple[list[Turn], int]:
        withdrawn = self._dispatch.columns(settled.withdrawn) if len(settled.withdrawn) else {}
        turns: list[Turn] = []
        late = 0
        for number, part in self._dispatch.share(settled.counted):
            watch = self.judging[number]
            if isinstance(part, Part) or number in withdrawn:
                columns = part if isinstance(part, Part) else part.part()
                touched, too_late = watch.take(columns, withdrawn.get(number), monotonic_ms)
            else:
                touched, too_late = watch.take_few(part, monotonic_ms)
            late += too_late
            if len(touched):
                turns += watch.judge(touched, monotonic_ms)
        return turns, late

    def _keep(self, settled: Settled, monotonic_ms: int) -> list[Turn]:
        turns: list[Turn] = []
        for metric, part in by_metric(self._series, settled):
            for watch in self._learning.get(metric, ()):
                touched, _ = watch.take(self._series, part, monotonic_ms)
                if len(touched):
                    turns += watch.judge(touched, monotonic_ms)
        return turns
