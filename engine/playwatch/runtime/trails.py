"""Trails: what learned rules saw and took for normal, interval by interval.

A rule says which of its groups closed an interval; what was found of them is
copied then, a few numbers each, into rings of a fixed size. Of a hundred
thousand groups that costs one look-up each. Charts read the rings, and the
history's keeper writes down what would otherwise end with the process.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from playwatch.core.learned import LearnedWatch
from playwatch.core.series import NEVER
from playwatch.runtime.standings import row_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from playwatch.core.watching import AnyWatch
    from playwatch.runtime.standings import Group

KINDS: Final = ("value", "expected", "low", "high")
"""What is kept of an interval, by the names of `GroupFacts`."""
SLOTS: Final = 240
"""Intervals that are kept of a group: four hours at one a minute."""
ROOM: Final = 2_000
"""Groups that have a trail, those with an incident first: 12 MB at most."""
WRITTEN: Final = 200
"""Groups whose trail is written down whether or not they have an incident."""
AFTER_MS: Final = 3_600_000
"""How long after its incident a group's trail is still written down."""
MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Trail:
    """What one group was, and was expected to be; columns of one length.

    Attributes
    ----------
    times
        Ends of its intervals, milliseconds since the epoch, ascending.
    value, expected, low, high
        NaN where nothing was known.
    """

    times: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    expected: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def since(self, from_at: int, until_at: int) -> Trail:
        """Return the part between two times, both included."""
        chosen = [n for n, at in enumerate(self.times) if from_at <= at <= until_at]
        columns = (getattr(self, name) for name in ("times", *KINDS))
        return Trail(*([column[n] for n in chosen] for column in columns))

    def broken(self, gap_ms: int) -> Trail:
        """Return this trail with nothing known in the middle of each longer gap."""
        found = Trail()
        for n, at in enumerate(self.times):
            if n and at - self.times[n - 1] > gap_ms:
                found.times.append(self.times[n - 1] + 1)
                for name in KINDS:
                    getattr(found, name).append(math.nan)
            found.times.append(at)
            for name in KINDS:
                getattr(found, name).append(getattr(self, name)[n])
        return found

    def normal_at(self, times: Sequence[int], reach_ms: int) -> list[tuple[float, float]]:
        """Return low and high of the first interval that ended at each time or soon after.

        Parameters
        ----------
        reach_ms
            What counts as soon; beyond it nothing is known.
        """
        found = []
        for at in times:
            n = bisect_left(self.times, at)
            is_near = n < len(self.times) and self.times[n] - at <= reach_ms
            found.append((self.low[n], self.high[n]) if is_near else (math.nan, math.nan))
        return found

    def then(self, later: Trail) -> Trail:
        """Return this trail as far as another one, which is finer, does not reach."""
        mine = self.since(0, later.times[0] - 1) if later.times else self
        return Trail(*(getattr(mine, name) + getattr(later, name) for name in ("times", *KINDS)))


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Intervals that are to be written down, as columns of one length.

    Attributes
    ----------
    names
        Rule and group, which ``name`` counts.
    minute
        That each interval ended in, minutes since the epoch; each once a group.
    columns
        By the names in `KINDS`.
    """

    names: list[tuple[str, Group]]
    name: NDArray[np.intp]
    minute: NDArray[np.int64]
    columns: dict[str, NDArray[np.float32]]


@dataclass(slots=True)
class _Followed:
    """One rule, and which ring each of its groups has; -1 for none."""

    watch: LearnedWatch
    place: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))


class Trails:
    """Keeps the trails of some groups; see the module."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}
        self._taken: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._free: list[int] = []
        self._names: list[tuple[str, Group]] = []
        self._count: NDArray[np.int64] = np.zeros(0, np.int64)
        self._written: NDArray[np.int64] = np.zeros(0, np.int64)
        self._until: NDArray[np.int64] = np.zeros(0, np.int64)
        self._at: NDArray[np.int64] = np.zeros((SLOTS, 0), np.int64)
        self._columns = {name: np.zeros((SLOTS, 0), np.float32) for name in KINDS}

    def follow(self, watches: Iterable[AnyWatch], now: int) -> None:
        """Follow every group that there is room for, and those with an incident before others.

        Parameters
        ----------
        now
            Wall time, milliseconds.
        """
        learned = {one.rule.name: one for one in watches if isinstance(one, LearnedWatch)}
        for name, followed in list(self._followed.items()):
            if learned.get(name) is not followed.watch:
                self._leave(name)
        for name, watch in learned.items():
            self._follow(self._followed.get(name) or self._begin(name, watch), now)

    def of_group(self, rule: str, group: Group) -> Trail:
        """Return what is kept of a group, the oldest interval first."""
        followed = self._followed.get(rule)
        row = None if followed is None else row_of(followed.watch, group)
        place = None if row is None else self._taken.get((rule, row))
        if place is None:
            return Trail()
        slots = self._slots(np.array([place]), np.zeros(1, np.int64))[0]
        slots = slots[slots >= 0]
        columns = (column[slots, place].tolist() for column in self._columns.values())
        return Trail(self._at[slots, place].tolist(), *columns)

    def unwritten(self, now: int) -> Unwritten:
        """Return what has closed since the last call, of groups whose trail is to outlast us.

        Notes
        -----
        A group whose incident has just begun brings all that is kept of it.
        """
        place = np.flatnonzero(
            ((self._until > now) | (np.arange(len(self._until)) < WRITTEN))
            & (self._count > self._written)
        )
        slots = self._slots(place, self._written[place])
        self._written[place] = self._count[place]
        minute = np.where(slots >= 0, (self._at[slots, place[:, None]] - 1) // MINUTE_MS, -1)
        is_last = minute >= 0
        is_last[:, :-1] &= minute[:, :-1] != minute[:, 1:]
        name, _ = np.nonzero(is_last)
        chosen = slots[is_last], place[name]
        return Unwritten(
            [self._names[one] for one in place],
            name,
            minute[is_last],
            {kind: column[chosen] for kind, column in self._columns.items()},
        )

    def _slots(self, place: NDArray[np.intp], first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the slots of intervals from a number on, a row a place, -1 in front."""
        count = self._count[place]
        first = np.maximum(first, count - SLOTS)
        longest = int((count - first).max(initial=0))
        number = count[:, None] + np.arange(-longest, 0)
        return np.where(number >= first[:, None], number % SLOTS, -1)

    def _begin(self, name: str, watch: LearnedWatch) -> _Followed:
        self._followed[name] = followed = _Followed(watch)
        watch.facts.follower = lambda group: self._note(followed, group)
        return followed

    def _leave(self, name: str) -> None:
        self._followed.pop(name).watch.facts.follower = None
        for key in [key for key in self._taken if key[0] == name]:
            self._free.append(self._taken.pop(key))

    def _follow(self, followed: _Followed, now: int) -> None:
        watch = followed.watch
        self._meet(followed)
        for row in watch.open:
            if followed.place[row] >= 0 or self._take(followed, row, now):
                self._until[followed.place[row]] = now + AFTER_MS
                self._taken.move_to_end((watch.rule.name, row))

    def _meet(self, followed: _Followed) -> None:
        """Give new groups a ring for as long as there is room."""
        known, count = len(followed.place), len(followed.watch.groups)
        if count > known:
            followed.place = np.r_[followed.place, np.full(count - known, -1, np.int32)]
            for row in range(known, min(count, known + ROOM - len(self._taken))):
                self._take(followed, row, NEVER)

    def _take(self, followed: _Followed, row: int, now: int) -> bool:
        """Give a group a ring, if need be that of the one whose incident is longest ago."""
        if not self._free and len(self._names) >= ROOM:
            rule, other = next(iter(self._taken))
            place = self._taken[rule, other]
            if self._until[place] > now:
                return False
            del self._taken[rule, other]
            self._followed[rule].place[other] = -1
        else:
            place = self._free.pop() if self._free else self._room()
        name = followed.watch.rule.name
        self._taken[name, row] = followed.place[row] = place
        self._names[place] = (name, followed.watch.groups.breakdowns(row))
        self._count[place] = self._written[place] = self._until[place] = 0
        return True

    def _room(self) -> int:
        """Return a ring that nobody had before."""
        place = len(self._names)
        self._names.append(("", ()))
        if place >= len(self._count):
            more = min(max(64, place), ROOM - place)
            self._count, self._written, self._until = (
                np.r_[column, np.zeros(more, np.int64)]
                for column in (self._count, self._written, self._until)
            )
            self._at = _wider(self._at, more)
            self._columns = {name: _wider(one, more) for name, one in self._columns.items()}
        return place

    def _note(self, followed: _Followed, group: NDArray[np.int32]) -> None:
        """Copy what was found of groups that have closed an interval."""
        if len(followed.watch.groups) > len(followed.place):
            self._meet(followed)
        place = followed.place[group]
        is_kept = place >= 0
        place, group = place[is_kept], group[is_kept]
        slot = self._count[place] % SLOTS
        facts = followed.watch.facts
        self._at[slot, place] = facts.judged_at[group]
        for name, column in self._columns.items():
            column[slot, place] = getattr(facts, name)[group]
        self._count[place] += 1


def _wider(column: NDArray[Any], more: int) -> NDArray[Any]:
    return np.concatenate([column, np.zeros((SLOTS, more), column.dtype)], axis=1)
