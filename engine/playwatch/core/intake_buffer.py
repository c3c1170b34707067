"""Samples that wait for the next look of a learned rule, in the order they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from playwatch.core.groups import NO_GROUP
from playwatch.core.intervals import Contributions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.lattice import Lattice
    from playwatch.core.replacement import Settled
    from playwatch.core.samples import SampleBatch
    from playwatch.core.series import SeriesTable


class Waiting(NamedTuple):
    """Samples of the rule's own series, columns of one length.

    Attributes
    ----------
    leaf
        Which series of the rule.
    samples
        1, or -1 for a sample that is taken back; ``weight`` and ``views`` have its sign.
    """

    leaf: NDArray[np.int32]
    at: NDArray[np.int64]
    weight: NDArray[np.float64]
    views: NDArray[np.int64]
    samples: NDArray[np.int32]
    heard_ms: NDArray[np.int64]

    def take(self, mask: NDArray[np.bool_]) -> Waiting:
        """Return the samples that a mask picks."""
        return Waiting(
            self.leaf[mask],
            self.at[mask],
            self.weight[mask],
            self.views[mask],
            self.samples[mask],
            self.heard_ms[mask],
        )

    def by_group(self, lattice: Lattice) -> Contributions:
        """Return what each sample adds to each of its groups."""
        groups = lattice.groups_of(self.leaf)
        row, column = np.nonzero(groups != NO_GROUP)
        return Contributions(
            groups[row, column],
            self.at[row],
            self.weight[row],
            self.views[row],
            self.samples[row],
            self.heard_ms[row],
        )


class IntakeBuffer:
    """Keeps batches as they came.

    Parameters
    ----------
    weighs_by_views
        True where a sample weighs ``value * views``, False where it adds ``value``.
    """

    def __init__(self, *, weighs_by_views: bool) -> None:
        self._weighs_by_views = weighs_by_views
        self._kept: list[tuple[SampleBatch, int, int]] = []
        self.series: SeriesTable | None = None
        self.waiting = 0

    def keep(self, series: SeriesTable, settled: Settled, monotonic_ms: int) -> None:
        """Keep a batch, and what it takes back."""
        self.series = series
        for batch, sign in ((settled.withdrawn, -1), (settled.counted, 1)):
            if len(batch):
                self._kept.append((batch, monotonic_ms, sign))
                self.waiting += len(batch)

    def pour(self, lattice: Lattice) -> Waiting | None:
        """Give out everything that waits, as samples of the lattice; None for nothing."""
        kept, self._kept, self.waiting = self._kept, [], 0
        if not kept or self.series is None:
            return None
        sizes = [len(batch) for batch, _, _ in kept]
        rows = np.concatenate([batch.series for batch, _, _ in kept])
        leaf = lattice.leaves_of(self.series, rows)
        mine = leaf != NO_GROUP
        if not mine.any():
            return None
        sign = np.repeat(np.array([sign for _, _, sign in kept], np.int32), sizes)[mine]
        views = sign * np.concatenate([batch.views for batch, _, _ in kept])[mine]
        value = np.concatenate([batch.value for batch, _, _ in kept])[mine]
        return Waiting(
            leaf[mine],
            np.concatenate([batch.at for batch, _, _ in kept])[mine],
            value * views if self._weighs_by_views else value * sign,
            views,
            sign,
            np.repeat(np.array([at for _, at, _ in kept], np.int64), sizes)[mine],
        )
