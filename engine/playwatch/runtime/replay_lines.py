"""Reads files of samples: CSV with a header, or one native payload a line.

A CSV has the columns ``metric``, ``value``, ``at`` and perhaps ``views``; every
other column is a dimension, an empty cell a missing one. JSON lines are what
`playwatch publish` takes, with ``at`` in every sample. A bad line is named and
left out, the good ones are kept.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.intake import Intake
from playwatch.core.refusals import Reason, Refused, printable
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.sequences import SequenceTracker
from playwatch.ingest.recordings import RecordingError
from playwatch.ports import Message
from playwatch.runtime.replay_reading import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from playwatch.core.intaken import Intaken
    from playwatch.core.metrics import Catalogue
    from playwatch.core.series import SeriesTable

    Cells = Sequence[str]
    Columns = tuple[list[int], list[int], list[float], list[int]]

MAX_COMPLAINTS: Final = 20
"""Bad lines told in words for each file; the others are counted."""

_LINES: Final = 20_000
_REQUIRED: Final = ("metric", "value", "at")
_EVER_S: Final = 1e12
_DIGITS: Final = range(11, 15)
_MAX_VIEWS: Final = 10**12
# The arrival of every line: a sample without a time gets this one.
_NO_TIME: Final = Instant(-1, 0)


@dataclass(slots=True)
class Complaints:
    """What is wrong with the files: the first mistakes in words, all of them counted."""

    told: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, path: Path, line: int | str, reason: Reason, detail: str) -> None:
        """Note one bad line."""
        self.counts[reason.value] += 1
        self.tell(path, line, detail)

    def tell(self, path: Path, line: int | str, detail: str) -> None:
        """Say in words what is wrong with a line."""
        if len(self.told) < MAX_COMPLAINTS:
            self.told.append(f"{path}:{line}: {printable(detail, 200)}")


class LineReader:
    """Reads files of samples into columns.

    Parameters
    ----------
    catalogue, series
        The metrics, and where series are interned.
    """

    def __init__(self, catalogue: Catalogue, series: SeriesTable) -> None:
        self._catalogue = catalogue
        self._series = series
        self._intake = self._lenient()
        self._rows: dict[Cells, int] = {}
        self.complaints = Complaints()

    def read(self, path: Path) -> Iterator[SampleBatch]:
        """Iterate over the good samples of a file, some thousand lines at a time.

        Raises
        ------
        RecordingError
            If the file cannot be read, or is neither JSON lines nor a CSV
            with the columns metric, value and at.

        Notes
        -----
        Some microseconds a line; a recording with columns is read much faster.
        """
        try:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                start = file.read(4096).lstrip()[:1]
                file.seek(0)
                yield from self._json(path, file) if start in "{[" else self._csv(path, file)
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}"
            raise RecordingError(message) from None

    def _json(self, path: Path, file: Iterable[str]) -> Iterator[SampleBatch]:
        numbered = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        while lines := list(itertools.islice(numbered, _LINES)):
            messages = [Message(str(number), line.encode(), "native") for number, line in lines]
            intaken = read(messages, self._intake, _NO_TIME)
            self.complaints.counts.update(
                {reason.value: count for reason, count in intaken.rejected.items()}
            )
            for rejection in intaken.rejections:
                self.complaints.tell(path, rejection.topic, rejection.detail)
            has_time = intaken.batch.at != _NO_TIME.at
            if not has_time.all():
                self._name_timeless(path, messages)
            yield intaken.batch.take(has_time)

    def _name_timeless(self, path: Path, messages: Iterable[Message]) -> None:
        """Find the lines that have no time, by reading each alone."""
        for message in messages:
            alone = read([message], self._lenient(), _NO_TIME)
            for _ in range(int((alone.batch.at == _NO_TIME.at).sum())):
                self.complaints.add(path, message.topic, Reason.MISSING_FIELD, "at is missing")

    def _csv(self, path: Path, file: Iterable[str]) -> Iterator[SampleBatch]:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in _REQUIRED if name not in header]
        if missing or len(set(header)) < len(header):
            what = f"has no column {', '.join(missing)}" if missing else "names a column twice"
            message = f"{path}:1: the header {what}: a CSV of samples has metric, value and at"
            raise RecordingError(message)
        self._rows.clear()
        numbered = ((reader.line_num, row) for row in reader if row)
        while True:
            chunk: list[tuple[int, Cells]] = []
            try:
                chunk.extend(itertools.islice(numbered, _LINES))
            except csv.Error as error:
                self.complaints.add(path, reader.line_num, Reason.MALFORMED, str(error))
            if not chunk:
                return
            yield self._chunk(path, header, chunk)

    def _chunk(
        self, path: Path, header: Sequence[str], chunk: Sequence[tuple[int, Cells]]
    ) -> SampleBatch:
        self._intake.begin(_NO_TIME)
        self._intake.message(str(path), "csv")
        lines: Sequence[int] = [line for line, _ in chunk]
        try:
            columns = self._columns(header, [cells for _, cells in chunk])
        except (ValueError, Refused, OverflowError):
            lines, columns = self._one_by_one(path, header, chunk)
        self._intake.add_columns(
            np.array(columns[0], np.int32),
            np.array(columns[1], np.int64),
            np.array(columns[2], np.float64),
            np.array(columns[3], np.int64),
        )
        return self._noted(path, lines, self._intake.finish())

    def _noted(self, path: Path, lines: Sequence[int], intaken: Intaken) -> SampleBatch:
        for reason, count in intaken.rejected.items():
            self.complaints.counts[reason.value] += count
        for rejection in intaken.rejections:
            self.complaints.tell(path, lines[rejection.offset or 0], rejection.detail)
        return intaken.batch

    def _one_by_one(
        self, path: Path, header: Sequence[str], chunk: Sequence[tuple[int, Cells]]
    ) -> tuple[list[int], Columns]:
        """Read the lines of a chunk alone, and name the bad ones."""
        lines: list[int] = []
        columns: Columns = ([], [], [], [])
        for line, cells in chunk:
            try:
                found = self._columns(header, [cells])
            except Refused as refused:
                self.complaints.add(path, line, refused.reason, refused.detail)
            except (ValueError, OverflowError) as error:
                self.complaints.add(path, line, Reason.MALFORMED, str(error))
            else:
                lines.append(line)
                for whole, one in zip(columns[:2], found[:2], strict=True):
                    whole.extend(one)
                columns[2].extend(found[2])
                columns[3].extend(found[3])
        return lines, columns

    def _columns(self, header: Sequence[str], rows: Sequence[Cells]) -> Columns:
        """Return series, times, values and views of some lines; raise for a bad one."""
        if len(rows[0]) != len(header):
            message = f"{len(rows[0])} cells, the header has {len(header)}"
            raise ValueError(message)
        column_of = dict(zip(header, zip(*rows, strict=True), strict=True))
        at = column_of.pop("at")
        time_of = {text: _milliseconds(text) for text in set(at)}
        value = _numbers(column_of.pop("value"))
        views = column_of.pop("views", ("",) * len(rows))
        views_of = {text: _views(text) for text in set(views)}
        names = ["metric", *(name for name in column_of if name != "metric")]
        keys = list(zip(*(column_of[name] for name in names), strict=True))
        for key in set(keys) - self._rows.keys():
            self._rows[key] = self._learn(names, key)
        rows_of = [self._rows[key] for key in keys]
        return (
            rows_of,
            [time_of[text] for text in at],
            value,
            [views_of[text] for text in views],
        )

    def _learn(self, names: Sequence[str], key: Cells) -> int:
        dimensions = {name: cell for name, cell in zip(names[1:], key[1:], strict=True) if cell}
        spelling = repr(sorted(dimensions.items())).encode()
        return self._intake.spellings.learn(key[0], spelling, dimensions)

    def _lenient(self) -> Intake:
        """Return an intake that takes any time."""
        return Intake(
            self._catalogue,
            self._series,
            SequenceTracker(),
            max_age_s=_EVER_S,
            max_ahead_s=_EVER_S,
        )


def _milliseconds(text: str) -> int:
    """Return a time written in RFC 3339 or in milliseconds since the epoch."""
    if text.isascii() and text.isdigit():
        if len(text) not in _DIGITS:
            hint = "seconds" if len(text) < _DIGITS.start else "microseconds"
            raise Refused(Reason.BAD_TIME, f"at: {text} is not in milliseconds ({hint}?)")
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        detail = f"at: {text!r} is no time" if text else "at is missing"
        raise Refused(Reason.BAD_TIME, detail) from None
    if moment.tzinfo is None:
        raise Refused(Reason.BAD_TIME, f"at: {text!r} has no time zone: end it with Z for UTC")
    return round(moment.timestamp() * 1000)


def _numbers(texts: Sequence[str]) -> list[float]:
    try:
        return list(map(float, texts))
    except ValueError:
        # Of many lines, those that are read alone next; of one, this one.
        raise Refused(Reason.WRONG_TYPE, f"value: {texts[0]!r} is no number") from None


def _views(text: str) -> int:
    if not text:
        return 1
    if not (text.isascii() and text.isdigit()) or int(text) > _MAX_VIEWS:
        raise Refused(Reason.OUT_OF_RANGE, f"views: {text!r} is not a whole number of views")
    return int(text)
