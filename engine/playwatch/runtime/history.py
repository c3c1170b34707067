"""The history's keeper: gathers what is counted, and writes it down each minute.

The evaluator hands over the columns of each batch; samples become one value per
series and minute, and are written by a worker thread shortly after the minute
has ended. So ``kill -9`` loses what is younger than a minute and a few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.metrics import Merge
from playwatch.core.series import canonical_dimensions
from playwatch.errors import StoreError
from playwatch.runtime.minutes import Minutes
from playwatch.runtime.trails import KINDS, MINUTE_MS
from playwatch.store.history_blocks import Rows, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from playwatch.core.replacement import Settled
    from playwatch.core.series import SeriesTable
    from playwatch.ports import Clock
    from playwatch.runtime.readings import Readings
    from playwatch.runtime.series_index import Knowing
    from playwatch.runtime.standings import Group
    from playwatch.runtime.trails import Unwritten
    from playwatch.store.history import History

AFTER_S: Final = 5.0
"""How long after a minute it is written: what comes later is written apart."""
LOOK_S: Final = 1.0
_HOUR: Final = 60
_UNKNOWN: Final = -1

log = logging.getLogger("playwatch.history")


def rule_metric(rule: str) -> str:
    """Return the name under which the history keeps what a rule saw of its groups."""
    return f"rule:{rule}"


def trail_metric(kind: str, rule: str) -> str:
    """Return the name under which it keeps one of `KINDS` of what a rule has learned."""
    return f"learned {kind}:{rule}"


def is_of_rule(metric: str) -> bool:
    """Return whether it is such a name."""
    return metric.startswith((rule_metric(""), *(trail_metric(kind, "") for kind in KINDS)))


class HistoryKeeper:
    """Keeps what an engine counts.

    Parameters
    ----------
    history
        Where it is written.
    engine
        Has the series and the metrics.
    readings
        What rules saw of their groups is kept too.
    keep_s
        How long; older minutes are removed each hour.
    """

    def __init__(
        self, history: History, engine: Knowing, readings: Readings, clock: Clock, keep_s: float
    ) -> None:
        self.history = history
        self._engine = engine
        self._readings = readings
        self._clock = clock
        self._keep_minutes = max(round(keep_s / 60), _HOUR)
        self._minutes = Minutes()
        self._ids: NDArray[np.int32] = np.zeros(0, np.int32)
        self._groups: dict[tuple[str, bytes], int] = {}
        self._given_up: list[NDArray[np.intp]] = []
        self._fails = False

    def count(self, settled: Settled) -> None:
        """Take over what a batch counted."""
        self._minutes.count(settled, self._engine.pipeline.series, self._engine.catalogue)

    def forget(self, rows: NDArray[np.intp]) -> None:
        """Forget the ids of series whose rows others may take; O(1)."""
        self._given_up.append(rows)

    async def run(self) -> None:
        """Write down each minute until cancelled."""
        written = self._minute()
        while True:
            await self._clock.sleep(LOOK_S)
            if self._minute() != written:
                written = self._minute()
                await self.flush()
                if written % _HOUR == 0:
                    await self._tidy(written)

    async def flush(self) -> None:
        """Write down everything that was counted; what cannot be is lost, and said so."""
        self._minutes.pour(self._engine.pipeline.series, self._engine.catalogue)
        rows = self._minutes.take()
        groups = self._readings.newest()
        trails = self._readings.trails.unwritten(self._clock.wall_ms())
        minute = self._clock.wall_ms() // MINUTE_MS - 1
        try:
            await asyncio.to_thread(self._write, rows, groups, trails, minute)
        except StoreError as error:
            if not self._fails:
                log.error("a minute of history is lost: %s", error)  # noqa: TRY400 - a sentence
            self._fails = True
        else:
            self._fails = False

    def _write(
        self, rows: Iterable[Rows], groups: Sequence[_Seen], trails: Unwritten, minute: int
    ) -> None:
        """Write rows by the series' rows as rows by the history's ids."""
        series = self._engine.pipeline.series
        everything = joined(list(rows))
        parts: list[Rows] = []
        if len(everything):
            self._learn(np.unique(everything.series), series)
            parts.append(
                Rows(
                    self._ids[everything.series],
                    everything.minute,
                    everything.value,
                    everything.views,
                )
            )
        parts += self._of_groups(groups, minute)
        parts += self._of_trails(trails)
        if parts:
            self.history.write(joined(parts))

    def _learn(self, rows: NDArray[np.int32], series: SeriesTable) -> None:
        """Look up the ids of series that were never written by this process."""
        while self._given_up:  # another thread adds to it
            gone = self._given_up.pop(0)
            self._ids[gone[gone < len(self._ids)]] = _UNKNOWN
        size = int(rows.max()) + 1
        if size > len(self._ids):
            wider = np.full(max(size, 2 * len(self._ids)), _UNKNOWN, np.int32)
            wider[: len(self._ids)] = self._ids
            self._ids = wider
        unknown = rows[self._ids[rows] == _UNKNOWN]
        catalogue = self._engine.catalogue
        for number in np.unique(series.metric[unknown]).tolist():
            metric = catalogue[number]
            mine = unknown[series.metric[unknown] == number]
            names = [series.canonical(int(row)) for row in mine]
            self._ids[mine] = self.history.ids(metric.key, metric.merge, names)

    def _of_groups(self, groups: Sequence[_Seen], minute: int) -> list[Rows]:
        found = []
        for rule, names, values in groups:
            ids = self._ids_of(rule_metric(rule), names)
            is_known = np.isfinite(values)
            rows = Rows.of(ids, np.full(len(ids), minute), values, np.ones(len(ids)))
            found.append(rows.take(is_known))
        return [rows for rows in found if len(rows)]

    def _of_trails(self, trails: Unwritten) -> list[Rows]:
        found = []
        for kind, values in trails.columns.items():
            ids = np.zeros(len(trails.names), np.int32)
            for rule in {rule for rule, _ in trails.names}:
                mine = [n for n, (one, _) in enumerate(trails.names) if one == rule]
                groups = [trails.names[n][1] for n in mine]
                ids[mine] = self._ids_of(trail_metric(kind, rule), groups)
            rows = Rows.of(ids[trails.name], trails.minute, values, np.ones(len(values)))
            found.append(rows.take(np.isfinite(values)))
        return [rows for rows in found if len(rows)]

    def _ids_of(self, metric: str, groups: Sequence[Group]) -> list[int]:
        """Return the history's ids of some groups, under a name of a rule's."""
        keys = [canonical_dimensions(dict(group)) for group in groups]
        missing = [key for key in keys if (metric, key) not in self._groups]
        if missing:
            ids = self.history.ids(metric, Merge.LATEST, missing)
            self._groups |= {(metric, key): one for key, one in zip(missing, ids, strict=True)}
        return [self._groups[metric, key] for key in keys]

    async def _tidy(self, minute: int) -> None:
        try:
            await asyncio.to_thread(self.history.compact, minute - 2)
            await asyncio.to_thread(self.history.expire, minute - self._keep_minutes)
        except StoreError as error:
            log.error("the history cannot be tidied: %s", error)  # noqa: TRY400 - a sentence

    def _minute(self) -> int:
        return (self._clock.wall_ms() - round(AFTER_S * 1000)) // MINUTE_MS


_Seen = tuple[str, "Sequence[tuple[tuple[str, str], ...]]", "NDArray[np.float32]"]
