"""Tables of samples, from CSV or JSON lines, put in the order of their times.

A file of samples has no arrivals, so they are made: every sample arrives when
it was measured, the samples of one second in one read, and time is let pass
each second in between. Lines that cannot be read are named and left out.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.samples import Instant, SampleBatch
from playwatch.ingest.recordings import Start, Tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwatch.ingest.recordings import Entry

_SECOND_MS: Final = 1000


class Table:
    """The samples of one or several files, sorted by time.

    Parameters
    ----------
    samples
        In any order; all checked.
    longest_s
        Silence after which nothing can happen any more: ticks end there.
    """

    def __init__(self, samples: SampleBatch, longest_s: float) -> None:
        self._samples = samples.take(np.argsort(samples.at, kind="stable"))
        self._longest_ms = round(longest_s * 1000)
        self.position = 0
        self.size = len(samples)

    def entries(self) -> Iterator[Entry | tuple[Instant, SampleBatch]]:
        """Iterate over reads and ticks as they would have come."""
        samples = self._samples
        if not len(samples):
            return
        second = samples.at // _SECOND_MS
        cuts = [0, *(np.flatnonzero(np.diff(second)) + 1).tolist(), len(samples)]
        first = int(samples.at[0])
        yield Start(Instant(first, first))
        last_at = first
        for begin, end in itertools.pairwise(cuts):
            at = int(samples.at[end - 1])
            until = min(at, last_at + self._longest_ms)
            for tick_at in range((last_at // _SECOND_MS + 1) * _SECOND_MS, until, _SECOND_MS):
                yield Tick(Instant(tick_at, tick_at))
            part = slice(begin, end)
            batch = SampleBatch(
                samples.series[part], samples.at[part], samples.value[part], samples.views[part]
            )
            yield Instant(at, at), batch
            last_at, self.position = at, end
