"""Groups: which series a rule merges, one group per combination of ``by``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.series import row_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from playwatch.core.rules import Matcher

NO_GROUP: Final = -1

# No value holds it: it separates dimensions too.
_AND: Final = "\x1e"
_WILD: Final = frozenset("*?[")


class GroupKeys:
    """The values that make each group, read from the text that is kept of them.

    Parameters
    ----------
    texts
        By row.
    is_of_all
        True where no value makes a group: there is one, of everything.
    """

    def __init__(self, texts: list[str], *, is_of_all: bool) -> None:
        self._texts = texts
        self._is_of_all = is_of_all

    def __len__(self) -> int:
        """Return how many groups there are."""
        return len(self._texts)

    def __getitem__(self, row: int) -> tuple[str, ...]:
        """Return the values of a row."""
        return () if self._is_of_all else tuple(self._texts[row].split(_AND))

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Iterate over the values of all rows."""
        return (self[row] for row in range(len(self._texts)))

    def copy(self) -> GroupKeys:
        """Return those of now, which later groups do not join."""
        return GroupKeys(self._texts.copy(), is_of_all=self._is_of_all)

    def of(self, rows: NDArray[np.int32]) -> GroupKeys:
        """Return the same of some rows only."""
        if len(rows) == len(self._texts):
            return self.copy()
        texts = self._texts
        return GroupKeys([texts[row] for row in rows.tolist()], is_of_all=self._is_of_all)


class GroupTable:
    """Maps the series of one rule to dense group rows.

    Parameters
    ----------
    metric
        Dense id of the rule's metric.
    where
        Matchers that a series must all pass.
    by
        Dimensions whose values make the group; a missing one counts as empty.
    """

    def __init__(self, metric: int, where: tuple[Matcher, ...], by: tuple[str, ...]) -> None:
        self.metric = metric
        self._where = where
        self._by = by
        # A text each, for tuples of texts are most of what a group would cost.
        self._keys: list[str] = []
        self._rows: dict[str, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        """Return how many rows there are, free ones too."""
        return len(self._keys)

    @property
    def live(self) -> NDArray[np.int32]:
        """The rows that hold a group, in rising order."""
        is_live = np.ones(len(self._keys), np.bool_)
        is_live[self._free] = False
        return np.flatnonzero(is_live).astype(np.int32)

    @property
    def keys(self) -> GroupKeys:
        """The values of ``by`` of every group, in the order of the rows."""
        return GroupKeys(self._keys, is_of_all=not self._by)

    @property
    def named_values(self) -> tuple[str, tuple[str, ...]] | None:
        """A dimension and the plain values that it must have one of; None without such."""
        for matcher in self._where:
            is_plain = not any(_WILD & set(pattern) for pattern in matcher.include)
            if matcher.include and is_plain and not matcher.must_be_missing:
                return matcher.dimension, matcher.include
        return None

    def intern(self, key: tuple[str, ...]) -> int:
        """Return the row of a group, making one for a new group."""
        text = _AND.join(key)
        row = self._rows.get(text)
        if row is None:
            if self._free:
                row = self._free.pop()
                self._keys[row] = text
            else:
                row = row_number(len(self._keys))
                self._keys.append(text)
            self._rows[text] = row
        return row

    def give_up(self, rows: NDArray[np.intp]) -> None:
        """Let new groups have the rows of some; 1 µs each."""
        for row in rows.tolist():
            del self._rows[self._keys[row]]
            self._keys[row] = _AND.join("" for _ in self._by)
        self._free = sorted({*self._free, *rows.tolist()}, reverse=True)

    def row_of(self, key: tuple[str, ...]) -> int | None:
        """Return the row of a group; None when there is none."""
        return self._rows.get(_AND.join(key))

    def breakdowns(self, row: int) -> tuple[tuple[str, str], ...]:
        """Return a group as pairs of dimension and value, in the order of ``by``."""
        return tuple(zip(self._by, self.keys[row], strict=True))

    def match(self, dimensions: Mapping[str, str]) -> int:
        """Return the group of a series of this metric, `NO_GROUP` where the rule skips it."""
        if not all(matcher.matches(dimensions) for matcher in self._where):
            return NO_GROUP
        return self.intern(tuple(dimensions.get(name, "") for name in self._by))
