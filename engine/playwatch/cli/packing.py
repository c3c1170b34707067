"""Samples as people write them, packed for `playwatch publish --packed`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from playwatch.codecs.fields import At, Time, Views, milliseconds
from playwatch.codecs.packed_keys import MAX_KEYS
from playwatch.codecs.packed_writer import encode, name_of
from playwatch.core.refusals import Refused
from playwatch.core.spellings import clean_dimensions
from playwatch.errors import PlaywatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AT_ONCE: Final = 10_000
"""Samples in a message."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a message that an engine reads, unless its limits say more."""

_T = TypeVar("_T")
_Dimensions = dict[str, str | int | float | bool | None]


class PackingError(PlaywatchError):
    """The file's fault: a line is no payload of samples, or names too many series."""


class _Object(Struct):
    metric: str | list[str]
    value: float | list[float]
    views: Views | list[Views] = 1
    at: At | list[At] = None
    dimensions: _Dimensions | list[_Dimensions | None] | None = None


_LINE: Final = msgspec.json.Decoder(_Object | list[_Object])


@dataclass(slots=True)
class Packing:
    """Samples in columns, with the series that they are of.

    Attributes
    ----------
    source
        Whose table it is.
    now
        The time of samples without one, if others have one.
    """

    source: str
    now: int
    _numbers: dict[tuple[str, tuple[tuple[str, str], ...]], int] = field(default_factory=dict)
    _key: list[int] = field(default_factory=list)
    _at: list[int | None] = field(default_factory=list)
    _value: list[float] = field(default_factory=list)
    _views: list[int] = field(default_factory=list)

    def read(self, lines: Iterable[bytes]) -> None:
        """Take samples from lines of JSON: an object, a list of objects, or columns.

        Raises
        ------
        PackingError
            If a line is none of these.
        """
        for number, line in enumerate(lines, 1):
            try:
                found = _LINE.decode(line)
                for one in found if isinstance(found, list) else [found]:
                    self._take(one)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                message = f"payload {number}: {error}"
                raise PackingError(message) from None
            except Refused as refused:
                message = f"payload {number}: {refused.reason.value}: {refused.detail}"
                raise PackingError(message) from None
        if not self._value:
            message = "there are no samples to publish"
            raise PackingError(message)

    @property
    def announcement(self) -> bytes:
        """The message that names the series; to be retained.

        Raises
        ------
        PackingError
            If it is larger than what engines read.
        """
        announced = encode(self._keys, source=self.source, table=name_of(self._keys))
        if len(announced) > MOST_BYTES:
            message = (
                f"the names of {len(self._numbers):,} series are {len(announced):,} bytes, and"
                f" engines read {MOST_BYTES:,}: publish the file in parts, each with its --source"
            )
            raise PackingError(message)
        return announced

    def messages(self) -> Iterator[bytes]:
        """Iterate over messages that speak of the series by number."""
        table = name_of(self._keys)
        has_times = any(at is not None for at in self._at)
        for start in range(0, len(self._value), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            ats = [self.now if at is None else at for at in self._at[part]]
            yield encode(
                None,
                np.array(self._value[part]),
                key=np.array(self._key[part], np.uint32),
                at=np.array(ats) if has_times else None,
                views=np.array(self._views[part]),
                source=self.source,
                table=table,
            )

    @property
    def _keys(self) -> list[tuple[str, dict[str, str]]]:
        return [(metric, dict(names)) for metric, names in self._numbers]

    def _take(self, one: _Object) -> None:
        n = len(one.value) if isinstance(one.value, list) else 1
        values = _column("value", one.value, n)
        metrics, dimensions = _column("metric", one.metric, n), one.dimensions
        names: list[_Dimensions | None] = _column("dimensions", dimensions, n)
        for metric, each in zip(metrics, names, strict=True):
            self._key.append(self._number(metric, each or {}))
        times: list[Time] = _column("at", one.at, n)
        self._at += [milliseconds(at) if not isinstance(at, int | None) else at for at in times]
        self._value += values
        self._views += _column("views", one.views, n)

    def _number(self, metric: str, dimensions: _Dimensions) -> int:
        key = metric, tuple(sorted(clean_dimensions(dimensions).items()))
        number = self._numbers.setdefault(key, len(self._numbers))
        if number >= MAX_KEYS:
            message = f"more than {MAX_KEYS:,} series: publish the file in parts"
            raise PackingError(message)
        return number


def _column(name: str, given: _T | list[_T], n: int) -> list[_T]:
    """Return one for each sample."""
    if not isinstance(given, list):
        return [given] * n
    if len(given) != n:
        message = f"{name} has {len(given)} elements, value has {n}"
        raise msgspec.ValidationError(message)
    return given
