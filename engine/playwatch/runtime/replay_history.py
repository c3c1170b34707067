"""The kept history as an input of a replay: one-minute samples, an hour at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.samples import SampleBatch
from playwatch.errors import SeriesLimitError
from playwatch.runtime.replay_tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from playwatch.core.metrics import Merge
    from playwatch.runtime.replay import Evaluation
    from playwatch.store.history import History
    from playwatch.store.history_blocks import Rows

_HOUR: Final = 60
_MINUTE_MS: Final = 60_000
_MINUTE_S: Final = 60.0


class KeptHistory:
    """What a store keeps of the past, for a replay.

    Parameters
    ----------
    history
        Open; it stays so.
    last_minutes
        Only the last so many; None for everything.

    Attributes
    ----------
    size, position
        Minutes in all, and how many of them have been evaluated.
    installation
        Empty: a history does not say whose it is.
    complaints
        What had to be left out, or is less than a recording would tell.
    left_out
        Series that are beyond the limit of their metric.

    Notes
    -----
    A sample stands in the middle of its minute, with the views of that minute.
    Only metrics that a rule watches are read. Memory is that of one hour.
    """

    def __init__(self, history: History, last_minutes: int | None = None) -> None:
        self._history = history
        first, last = history.span() or (0, -1)
        if last_minutes is not None:
            first = max(first, last - last_minutes + 1)
        self._first, self._last = first, last
        self.size = last - first + 1
        self.installation = ""
        self.complaints: list[str] = []
        self.left_out = 0
        self._done = 0
        self._open: Table | None = None

    @property
    def position(self) -> int:
        """How many minutes have been evaluated."""
        if self._open is None:
            return self._done
        share = self._open.position / max(self._open.size, 1)
        return min(self.size, self._done + round(_HOUR * share))

    def opened(self, evaluation: Evaluation) -> Iterator[Table]:
        """Iterate over the hours that have samples of what is watched."""
        self._done, self.complaints, self.left_out = 0, [], 0
        rules = [watch.rule for watch in evaluation.pipeline.watches]
        for rule in rules:
            if rule.window_s < _MINUTE_S:
                self.complaints.append(
                    f"rule {rule.name} looks every {rule.window_s:g} s and the history keeps"
                    " minutes: a recording teaches it better"
                )
        rows, ids = self._known(evaluation, {rule.metric for rule in rules})
        if self.left_out:
            self.complaints.append(f"left out: {self.left_out:,} series beyond series_per_metric")
        patience_s = max((rule.window_s for rule in rules), default=0.0) + _HOUR * _MINUTE_S
        for hour in range(self._first - self._first % _HOUR, self._last + 1, _HOUR):
            begin, end = max(hour, self._first), min(hour + _HOUR - 1, self._last)
            parts = [self._history.read(each, merge, begin, end) for merge, each in ids.items()]
            self._open = Table(_samples(parts, rows), patience_s)
            yield self._open
            self._open, self._done = None, end - self._first + 1

    def _known(
        self, evaluation: Evaluation, metrics: set[str]
    ) -> tuple[NDArray[np.int32], dict[Merge, list[int]]]:
        """Return the row of each id of the history, and which ids to read."""
        found: dict[int, int] = {}
        ids: dict[Merge, list[int]] = {}
        for one, key, names, merge in self._history.series():
            metric = evaluation.catalogue.id_of(key)
            if metric is None or key not in metrics:
                continue
            try:
                found[one] = evaluation.series.intern(metric, names)
            except SeriesLimitError:
                self.left_out += 1
                continue
            ids.setdefault(merge, []).append(one)
        rows = np.full(max(found, default=0) + 1, -1, np.int32)
        rows[list(found)] = list(found.values())
        return rows, ids


def _samples(parts: list[Rows], rows: NDArray[np.int32]) -> SampleBatch:
    """Return what was kept as samples; what takes back an earlier value is none."""
    whole = [part.take((part.views >= 0) & np.isfinite(part.value)) for part in parts]
    if not whole:
        return SampleBatch.of()
    return SampleBatch(
        np.concatenate([rows[part.series] for part in whole]),
        np.concatenate([part.minute * _MINUTE_MS + _MINUTE_MS // 2 for part in whole]),
        np.concatenate([part.value.astype(np.float64) for part in whole]),
        np.concatenate([part.views.astype(np.int64) for part in whole]),
    )
