"""Samples: one value of one series at one time, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEW: Final = 24
"""Up to so many samples, numpy's calls cost more than a loop in Python."""


class Instant(NamedTuple):
    """A moment of the engine, on both of its clocks.

    Attributes
    ----------
    at
        Wall clock, milliseconds since the epoch, UTC. It may step.
    monotonic_ms
        Monotonic clock, milliseconds since some fixed moment. It never steps,
        so every duration is measured with it.
    """

    at: int
    monotonic_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class SampleBatch:
    """What one read brought, as columns of one length ``n``.

    Attributes
    ----------
    series
        Rows of the `SeriesTable`, shape ``(n,)``.
    at
        When each value was measured: milliseconds since the epoch, UTC.
    value
        In the metric's unit, always finite.
    views
        The views that the sample newly summarises; not negative.
    """

    series: NDArray[np.int32]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    views: NDArray[np.int64]

    def __len__(self) -> int:
        """Return how many samples the batch has."""
        return len(self.series)

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> SampleBatch:
        """Return the samples that a mask or an index picks, in its order."""
        return SampleBatch(self.series[index], self.at[index], self.value[index], self.views[index])

    def slice(self, low: int, high: int) -> SampleBatch:
        """Return the samples from one place to before another, without a copy."""
        return SampleBatch(
            self.series[low:high], self.at[low:high], self.value[low:high], self.views[low:high]
        )

    @staticmethod
    def joined(parts: Sequence[SampleBatch]) -> SampleBatch:
        """Return batches one after the other; a single one as it is."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return SampleBatch.of()
        return SampleBatch(
            np.concatenate([part.series for part in parts]),
            np.concatenate([part.at for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.views for part in parts]),
        )

    @staticmethod
    def of(
        series: object = (), at: object = (), value: object = (), views: object = ()
    ) -> SampleBatch:
        """Return a batch made of four array-likes of one length."""
        return SampleBatch(
            np.asarray(series, np.int32),
            np.asarray(at, np.int64),
            np.asarray(value, np.float64),
            np.asarray(views, np.int64),
        )
