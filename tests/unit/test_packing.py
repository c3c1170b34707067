"""Samples as people write them say the same when they are packed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from playwatch.cli.packing import AT_ONCE, Packing, PackingError
from playwatch.codecs import CODECS
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = 1_800_000_000_000
FAILURES = "playback_failure_percentage"


def read(codec: str, payloads: Iterable[bytes]) -> list[tuple[Any, ...]]:
    """Return what an engine takes from payloads."""
    series = SeriesTable()
    intake = Intake(Catalogue(), series, SequenceTracker())
    intake.begin(Instant(NOW, 0))
    for payload in payloads:
        intake.message("topic", codec)
        CODECS[codec](payload, intake)
    intaken = intake.finish()
    assert not intaken.rejections
    batch = intaken.batch
    columns = (batch.series, batch.at, batch.value, batch.views)
    return [
        (int(series.metric[row]), series.dimensions(row), *rest)
        for row, *rest in zip(*(column.tolist() for column in columns), strict=True)
    ]


def packed(lines: list[bytes]) -> list[bytes]:
    packing = Packing("edge", NOW)
    packing.read(lines)
    return [packing.announcement, *packing.messages()]


def line(**fields: object) -> bytes:
    return json.dumps({"metric": FAILURES, "value": 1.5} | fields).encode()


@pytest.mark.parametrize(
    "lines",
    [
        [line()],
        [line(dimensions={"country": "DE"}), line(dimensions={"country": "DE"}, value=2, views=9)],
        [line(at=NOW - 5), line(at="2027-01-15T08:00:00Z"), line(dimensions=None)],
        [line(dimensions={"b": "x", "a": 5, "c": None, "d": True}), line(metric="views")],
        [b"[" + line(value=3) + b"," + line(views=0) + b"]"],
        [line(value=[1, 2], views=[3, 4], dimensions=[{"country": "SE"}, {}], at=NOW - 1)],
        [line(value=[1, 2], metric=[FAILURES, "views"], at=[NOW - 1, None])],
    ],
)
def test_packed_samples_are_the_samples_that_were_written(lines: list[bytes]) -> None:
    assert read("packed", packed(lines)) == read("native", lines)


def test_many_samples_are_several_messages_and_name_each_series_once() -> None:
    titles = [{"title": f"t{number % 300}"} for number in range(AT_ONCE + 1)]
    lines = [line(value=[1.0] * len(titles), dimensions=titles)]

    announcement, *messages = packed(lines)

    assert len(messages) == 2
    assert announcement.count(b"title") == 300
    assert not any(b"title" in message for message in messages)
    assert read("packed", [announcement, *messages]) == read("native", lines)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (b"{", "payload 2"),
        (b"5", "payload 2"),
        (b'{"value": 1}', "metric"),
        (line(value=[1, 2], views=[1]), "views has 1 elements, value has 2"),
        (line(views=-1), "views"),
        (line(dimensions={"": "x"}), "bad_dimension"),
        (line(at=1_800_000_000), "at"),
    ],
)
def test_a_line_that_is_no_samples_is_named(wrong: bytes, words: str) -> None:
    with pytest.raises(PackingError, match="payload 2") as caught:
        packed([line(), wrong])

    assert words in str(caught.value)


def test_a_file_without_samples_is_said_to_have_none() -> None:
    with pytest.raises(PackingError, match="no samples"):
        packed([])


def test_names_that_no_engine_would_read_are_refused_before_they_are_sent() -> None:
    lines = [line(dimensions={"video_title": f"{n:0250}"}) for n in range(16_000)]

    with pytest.raises(PackingError, match="publish the file in parts"):
        packed(lines)
