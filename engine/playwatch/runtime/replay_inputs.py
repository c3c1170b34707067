"""The inputs of a replay: recordings and files of samples, in the order of their times."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

import numpy as np

from playwatch.core.samples import SampleBatch
from playwatch.ingest.recordings import Recording, RecordingError, Start, is_recording
from playwatch.runtime.replay_lines import LineReader
from playwatch.runtime.replay_tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from playwatch.runtime.replay import Evaluation


class Replayable(Protocol):
    """What can be replayed.

    Attributes
    ----------
    size, position
        How much there is, and how much of it has been evaluated, in any unit.
    installation
        Whose incidents it holds; empty when it does not say.
    """

    size: int
    installation: str

    @property
    def position(self) -> int:
        """How much has been evaluated."""

    def opened(self, evaluation: Evaluation) -> Iterator[Recording | Table]:
        """Iterate over what there is to evaluate."""


class Inputs:
    """Files to replay, each looked at once to know what it is.

    Parameters
    ----------
    paths
        Recordings, CSV files, files of JSON lines, in any order.

    Raises
    ------
    RecordingError
        If one cannot be read.

    Attributes
    ----------
    size, position
        Bytes in all, and how many of them have been evaluated.
    installation
        Whose incidents the recordings hold; empty when they do not say.
    complaints
        What had to be left out of the files, in words, bounded.
    left_out
        Lines and samples left out of files of samples.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        recordings: list[Path] = []
        self._lines: list[Path] = []
        for path in paths:
            if not path.is_file():
                message = f"{path} is not a file"
                raise RecordingError(message)
            try:
                (recordings if is_recording(path) else self._lines).append(path)
            except OSError as error:
                message = f"{path} cannot be read: {error.strerror}"
                raise RecordingError(message) from None
        starts = [(self._start(path), path) for path in recordings]
        starts.sort(key=lambda start: (start[0].now.at, start[1]))
        self._recordings = [path for _, path in starts]
        self.installation = next((one.installation for one, _ in starts if one.installation), "")
        self.size = sum(path.stat().st_size for path in paths)
        self.complaints: list[str] = []
        self.left_out = 0
        self._done = 0
        self._open: Recording | Table | None = None
        self._weight = 1.0

    @property
    def position(self) -> int:
        """How many bytes of all have been evaluated."""
        inside = 0 if self._open is None else self._open.position * self._weight
        return min(self.size, self._done + round(inside))

    def opened(self, evaluation: Evaluation) -> Iterator[Recording | Table]:
        """Iterate over what there is to evaluate, the files of samples as one table."""
        self._done, self.complaints, self.left_out = 0, [], 0
        if self._lines:
            size = sum(path.stat().st_size for path in self._lines)
            table = self._table(evaluation)
            self._open, self._weight = table, size / max(table.size, 1)
            yield table
            self._done += size
        for path in self._recordings:
            recording = Recording(path)
            self._open, self._weight = recording, 1.0
            yield recording
            self.complaints += recording.damages
            self._done += recording.size
        self._open = None

    def _table(self, evaluation: Evaluation) -> Table:
        reader = LineReader(evaluation.catalogue, evaluation.series)
        parts = list(itertools.chain.from_iterable(map(reader.read, self._lines)))
        self.complaints += reader.complaints.told
        self.left_out = reader.complaints.counts.total()
        rules = [watch.rule for watch in evaluation.pipeline.watches]
        longest_s = max((_longest_s(rule) for rule in rules), default=0.0)
        return Table(_joined(parts), longest_s)

    def _start(self, path: Path) -> Start:
        first = next(Recording(path).entries(), None)
        if not isinstance(first, Start):
            message = f"{path} holds nothing that can be read"
            raise RecordingError(message)
        return first


def _longest_s(rule: object) -> float:
    """Return how long after the last sample a rule may still change anything, seconds."""
    names = ("window_s", "for_s", "resolve_for_s", "expire_after_s", "flap_within_s")
    return 60.0 + sum(float(getattr(rule, name)) for name in names)


def _joined(parts: Iterable[SampleBatch]) -> SampleBatch:
    parts = list(parts)
    if not parts:
        return SampleBatch.of()
    return SampleBatch(
        np.concatenate([part.series for part in parts]),
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.views for part in parts]),
    )
