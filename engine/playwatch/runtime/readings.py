"""Readings: what every rule last saw of its groups, and the recent past of some.

Pages and charts look here, not at the rules' windows: to work out the value of
a hundred thousand groups takes some 30 ms, which nobody who publishes a sample
may have to wait for. So a little is read each second, the rest in turn.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.learned import LearnedWatch
from playwatch.core.phases import Phase
from playwatch.runtime.standings import GroupReading, RuleReading, band, margins, row_of
from playwatch.runtime.text_search import BETWEEN, rows_with
from playwatch.runtime.trails import Trails

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from playwatch.core.rules import Rule
    from playwatch.core.watching import AnyWatch
    from playwatch.ports import Clock
    from playwatch.runtime.standings import Group

LOOK_S: Final = 1.0
"""How often values are read."""
AT_ONCE: Final = 4_096
"""Groups that one look reads, over all rules."""
KEPT: Final = 900
"""Looks of which the values are kept: a quarter of an hour."""
KEPT_GROUPS: Final = 2_000
"""Groups of which they are, those with an incident first: 16 MB at most."""


class Readings:
    """Reads the values of groups, a part of them each second.

    Parameters
    ----------
    watches
        Returns the rules at work, in the order of the configuration.

    Attributes
    ----------
    trails
        What learned rules saw and took for normal.
    """

    def __init__(self, watches: Callable[[], Sequence[AnyWatch]], clock: Clock) -> None:
        self.trails = Trails()
        self._watches = watches
        self._clock = clock
        self._values: dict[str, tuple[AnyWatch, NDArray[np.float32]]] = {}
        self._looks: deque[_Look] = deque(maxlen=KEPT)
        self._turn = 0
        self._next: dict[str, int] = {}

    async def run(self) -> None:
        """Read each second, until cancelled."""
        while True:
            self.look()
            await self._clock.sleep(LOOK_S)

    def look(self) -> None:
        """Read some values now.

        Notes
        -----
        At most `AT_ONCE` groups a call; with more, each rule's next part comes
        in turn. 0.1 ms for a rule of a few hundred groups.
        """
        watches = self._watches()
        self._forget(watches)
        self.trails.follow(watches, self._clock.wall_ms())
        look = _Look(self._clock.wall_ms())
        room, kept = AT_ONCE, KEPT_GROUPS
        for number in range(len(watches)):
            watch = watches[(self._turn + number) % len(watches)]
            if room <= 0:
                self._turn = (self._turn + number) % len(watches)
                break
            rows = self._rows(watch, room)
            room -= max(len(rows), 16)
            if len(rows):
                values = self._read(watch, rows)
                kept -= look.keep(watch, rows, values, kept)
        else:
            self._turn = 0
        self._looks.append(look)

    def of_rules(self) -> list[RuleReading]:
        """Return how every rule stands."""
        return [self._rule(watch) for watch in self._watches()]

    async def of_groups(
        self, rule: str, limit: int, text: str = "", offset: int = 0
    ) -> list[GroupReading] | None:
        """Return how the groups of a rule stand, the nearest to its bound first.

        Parameters
        ----------
        text
            Only groups that have it in one of their values, whatever the case.
        offset
            How many to pass over.

        Returns
        -------
        list of GroupReading or None
            None when there is no such rule.
        """
        watch = next((one for one in self._watches() if one.rule.name == rule), None)
        if watch is None:
            return None
        rows = watch.groups.live
        if text:
            keys = watch.groups.keys
            found = await rows_with(
                text,
                rows.tolist(),
                lambda part: BETWEEN.join(["\x1f".join(keys[row]) for row in part]),
            )
            rows = np.array(found, np.int32)
        values = self._known(watch)
        margin = margins(watch, values)
        key = np.where(np.isnan(margin), np.inf, margin)[rows]
        key = key - 1e12 * (watch.phases.phase[rows] >= Phase.OPEN)
        order = rows[_smallest(key, offset + limit)[offset:]]
        return [self._group(watch, int(row), values[row], margin[row]) for row in order]

    def rule(self, name: str) -> Rule | None:
        """Return a rule that is at work."""
        return next((one.rule for one in self._watches() if one.rule.name == name), None)

    def learned(self) -> list[LearnedWatch]:
        """Return the learned rules that are at work."""
        return [one for one in self._watches() if isinstance(one, LearnedWatch)]

    def learns(self, metric: str, group: Group) -> Rule | None:
        """Return the rule that learns a group of a metric; None where there is none."""
        for watch in self.learned():
            if watch.rule.metric == metric and row_of(watch, group) is not None:
                return watch.rule
        return None

    def trace(self, rule: str, group: Group) -> tuple[list[int], list[float]]:
        """Return the recent values of a group: times, milliseconds, and values."""
        return self.traces(rule, [group])[0]

    def traces(
        self, rule: str, groups: Sequence[Group], looks: int = KEPT
    ) -> list[tuple[list[int], list[float]]]:
        """Return the recent values of some groups of a rule: times, milliseconds, and values.

        Parameters
        ----------
        looks
            How many of the newest looks at most.

        Notes
        -----
        A few microseconds a look, however many groups: 10 ms for all of 100.
        """
        held = [
            (look.at, *look.kept[rule])
            for look in islice(self._looks, max(len(self._looks) - looks, 0), None)
            if rule in look.kept
        ]
        wanted = {id(watch): _rows_of(watch, groups) for _, watch, _, _ in held}
        times = np.array([at for at, *_ in held], np.int64)
        is_known = np.zeros((len(held), len(groups)), np.bool_)
        values = np.zeros((len(held), len(groups)), np.float32)
        for number, (_, watch, rows, seen) in enumerate(held):
            place = np.minimum(np.searchsorted(rows, wanted[id(watch)]), len(rows) - 1)
            is_known[number] = rows[place] == wanted[id(watch)]
            values[number] = seen[place]
        return [
            (times[is_known[:, column]].tolist(), values[is_known[:, column], column].tolist())
            for column in range(len(groups))
        ]

    def newest(self) -> list[tuple[str, list[Group], NDArray[np.float32]]]:
        """Return the newest values that are kept: rule, groups and their values."""
        kept = self._looks[-1].kept if self._looks else {}
        return [
            (rule, [watch.groups.breakdowns(int(row)) for row in rows], values)
            for rule, (watch, rows, values) in kept.items()
        ]

    def _forget(self, watches: Sequence[AnyWatch]) -> None:
        """Drop what was read of rules that are gone, or watch something else."""
        known = {watch.rule.name: watch for watch in watches}
        for name, (watch, _) in list(self._values.items()):
            if known.get(name) is not watch:
                del self._values[name]

    def _rows(self, watch: AnyWatch, room: int) -> NDArray[np.int32]:
        """Return which groups of a rule to read now."""
        count = len(watch.groups)
        if count <= room:
            return watch.groups.live
        first = self._next.get(watch.rule.name, 0) % count
        self._next[watch.rule.name] = first + room
        rows = (np.arange(first, first + room) % count).astype(np.int32)
        busy = np.fromiter(watch.open, np.int32, len(watch.open))
        return np.unique(np.r_[rows, busy[:room]])

    def _read(self, watch: AnyWatch, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        known = self._known(watch)
        values = watch.values(rows, self._clock.monotonic_ms()).astype(np.float32)
        known[rows] = values
        return values

    def _known(self, watch: AnyWatch) -> NDArray[np.float32]:
        """Return the column of a rule's values, as long as it has groups."""
        count = len(watch.groups)
        held = self._values.get(watch.rule.name)
        if held is None or held[0] is not watch:
            held = (watch, np.zeros(0, np.float32))
        if len(held[1]) < count:
            column = np.full(max(count, 2 * len(held[1])), np.nan, np.float32)
            column[: len(held[1])] = held[1]
            held = (watch, column)
        self._values[watch.rule.name] = held
        return held[1][:count]

    def _rule(self, watch: AnyWatch) -> RuleReading:
        live = watch.groups.live
        phases = np.bincount(watch.phases.phase[live], minlength=len(Phase))
        values = self._known(watch)
        margin = margins(watch, values)
        has_value = bool(np.isfinite(margin).any())
        first = int(np.nanargmin(margin)) if has_value else 0
        nearest = self._group(watch, first, values[first], margin[first]) if has_value else None
        return RuleReading(
            watch.rule,
            watch.metric.unit,
            len(live),
            {phase: int(phases[phase]) for phase in Phase},
            nearest,
            is_busy=bool(phases[1:].any()),
        )

    def _group(
        self, watch: AnyWatch, row: int, value: np.float32, margin: np.float64
    ) -> GroupReading:
        low, high = band(watch, row)
        return GroupReading(
            watch.groups.breakdowns(row),
            Phase(int(watch.phases.phase[row])),
            float(value),
            float(margin),
            watch.open.get(row),
            low,
            high,
        )


@dataclass(slots=True)
class _Look:
    """What one look has read."""

    at: int
    kept: dict[str, tuple[AnyWatch, NDArray[np.int32], NDArray[np.float32]]] = field(
        default_factory=dict
    )

    def keep(
        self, watch: AnyWatch, rows: NDArray[np.int32], values: NDArray[np.float32], room: int
    ) -> int:
        """Keep some values; return how many."""
        if len(rows) > room:
            busy = np.fromiter(watch.open, np.int32, len(watch.open))
            is_busy = np.isin(rows, busy)
            rows, values = rows[is_busy][:room], values[is_busy][:room]
        if len(rows):
            self.kept[watch.rule.name] = (watch, rows, values)
        return len(rows)


def _smallest(key: NDArray[np.float64], limit: int) -> NDArray[np.intp]:
    """Return where the smallest are, in their order; a tenth of the time of sorting all."""
    if 0 < limit < len(key):
        among = np.flatnonzero(key <= np.partition(key, limit - 1)[limit - 1])
        return among[np.argsort(key[among], kind="stable")[:limit]]
    return np.argsort(key, kind="stable")[:limit]


def _rows_of(watch: AnyWatch, groups: Sequence[Group]) -> NDArray[np.int32]:
    """Return the row of each group, -1 for one that the rule does not have."""
    rows = [row_of(watch, group) for group in groups]
    return np.array([-1 if row is None else row for row in rows], np.int32)
