"""The messages of a bench."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.codecs.packed_writer import encode, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

METRIC: Final = "playback_failure_percentage"
COLUMNS: Final = 1000
"""Samples in a message of columns."""
SOURCE: Final = "bench"
"""Whose key table it is."""

_GOOD: Final = 1.0
_BAD: Final = 50.0
_VIEWS: Final = 100
_MANY_VIEWS: Final = 1_000_000


def everything(series: int) -> Iterator[bytes]:
    """Iterate over messages that bring a good sample of each series."""
    titles = title_names("title", series)
    for start in range(0, series, COLUMNS):
        yield columns(titles[start : start + COLUMNS], _GOOD, _VIEWS)


def one_by_one(series: int) -> Iterator[bytes]:
    """Iterate over the same, a message each."""
    for title in title_names("title", series):
        yield _one(title, _GOOD, _VIEWS)


def whole_columns(series: int) -> Iterator[bytes]:
    """Iterate over messages of `COLUMNS` good samples, for all series in turn."""
    for some in _turns(series):
        yield columns(some, _GOOD, _VIEWS)


def packed(series: int) -> Iterator[bytes]:
    """Iterate over the same, packed, with their keys in each message."""
    for some in _turns(series):
        yield encode(_keys(some), _values(), views=_VIEWS)


def key_tables(series: int) -> Iterator[bytes]:
    """Iterate over the keys of the same, announced once: a message without samples each."""
    for some in _turns(series):
        keys = _keys(some)
        yield encode(keys, source=SOURCE, table=name_of(keys))


def numbered(series: int) -> Iterator[bytes]:
    """Iterate over the same, each about the keys of a table."""
    for some in _turns(series):
        yield encode(None, _values(), views=_VIEWS, source=SOURCE, table=name_of(_keys(some)))


def breach(title: str) -> bytes:
    """Return one bad sample."""
    return _one(title, _BAD, _VIEWS)


def recovery(title: str) -> bytes:
    """Return one good sample, of so many views that it outweighs the breach."""
    return _one(title, 0.0, _MANY_VIEWS)


def storm(breaches: int) -> bytes:
    """Return one message in which so many series are bad."""
    return columns(title_names("storm", breaches), _BAD, _VIEWS)


def calm(breaches: int) -> bytes:
    """Return one message in which all of them are good again."""
    return columns(title_names("storm", breaches), 0.0, _MANY_VIEWS)


def title_names(prefix: str, count: int) -> list[str]:
    """Return so many titles."""
    return [f"{prefix}-{number}" for number in range(count)]


def columns(titles: Iterable[str], value: float, views: int) -> bytes:
    """Return one message with the same measurement of each title."""
    dimensions = [{"video_title": title} for title in titles]
    values = [value] * len(dimensions)
    return _written(value=values, views=views, dimensions=dimensions)


def _turns(series: int) -> Iterator[list[str]]:
    titles = title_names("title", series)
    for turn in range(max(1, series // COLUMNS)):
        yield [titles[(turn * COLUMNS + n) % series] for n in range(COLUMNS)]


def _keys(titles: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    return [(METRIC, {"video_title": title}) for title in titles]


def _values() -> NDArray[np.float64]:
    return np.full(COLUMNS, _GOOD)


def _one(title: str, value: float, views: int) -> bytes:
    return _written(value=value, views=views, dimensions={"video_title": title})


def _written(**fields: object) -> bytes:
    return json.dumps({"metric": METRIC, **fields}).encode()
