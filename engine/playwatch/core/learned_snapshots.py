"""What a learned rule keeps over a restart: everything that it learned, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from playwatch.core.audience_intervals import AudienceMemory
from playwatch.core.group_facts import GroupFacts
from playwatch.core.groups import NO_GROUP
from playwatch.core.intervals import IntervalRings
from playwatch.core.leaves import LeafMemory
from playwatch.core.series import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.learned import LearnedWatch
    from playwatch.core.samples import Instant
    from playwatch.core.series import SeriesTable

VERSION: Final = 1
_DETECTOR: Final = "detector."
_DECIDER: Final = "decider."

Part = tuple[dict[str, Any], dict[str, "NDArray[Any]"]]


def copy_learned(watch: LearnedWatch) -> Part:
    """Return a copy of what a rule has learned.

    Notes
    -----
    Samples that still wait for the next look are not in it: at most a second.
    """
    count, leaves = len(watch.groups), len(watch.groups.leaves)
    facts = {
        "version": VERSION,
        "scope": watch.rule.scope,
        "kind": watch.kind.value,
        "groupings": [list(names) for names in watch.groups.groupings],
        "groups": [watch.groups.breakdowns(row) for row in range(count)],
        "number": watch.leaves.number,
        "heard": [watch.vacancies.since_at, watch.vacancies.looked_at],
    }
    columns: dict[str, NDArray[Any]] = {
        f"{owner}.{name}": getattr(holder, name)[:count].copy()
        for owner, holder, names in _holders(watch)
        for name in names
    }
    for owner, memory, names in _by_leaf(watch):
        for name in names:
            columns[f"{owner}.{name}"] = getattr(memory, name)[:leaves].copy()
    columns["leaves.series"] = np.array(watch.groups.leaves, np.int32)
    for name, column in watch.detector.columns().items():
        columns[_DETECTOR + name] = np.array(column)
    for name, column in watch.decider.columns().items():
        columns[_DECIDER + name] = np.array(column)
    return facts, columns


def restore_learned(
    part: Part,
    watch: LearnedWatch,
    series: SeriesTable,
    rows: NDArray[np.int32],
    away_ms: int,
    now: Instant,
) -> None:
    """Fill a fresh watch, completely or not at all; one of another scope stays fresh.

    Parameters
    ----------
    rows
        For each series row of the snapshot, the row that it has now; -1 for none.

    Raises
    ------
    ValueError
        If the columns are not those of this rule and its model.
    """
    facts, columns = part
    if facts["scope"] != watch.rule.scope or facts["kind"] != watch.kind.value:
        return
    groups = [tuple((str(name), str(value)) for name, value in one) for one in facts["groups"]]
    _check(watch, columns, len(groups))
    try:
        watch.detector.restore(_owned(columns, _DETECTOR))
        watch.decider.restore(_owned(columns, _DECIDER))
    except ValueError:
        watch.start_anew()
        raise
    watch.groups.expect(tuple(names) for names in facts["groupings"])
    for breakdowns in groups:
        watch.groups.place(breakdowns)
    watch.reserve()
    for owner, holder, names in _holders(watch):
        for name in names:
            if f"{owner}.{name}" in columns:
                getattr(holder, name)[: len(groups)] = columns[f"{owner}.{name}"]
    _restore_leaves(watch, columns, series, rows)
    watch.leaves.number = int(facts["number"])
    watch.vacancies.since_at, watch.vacancies.looked_at = facts.get("heard", (NEVER, NEVER))
    by_ms = now.monotonic_ms - away_ms - int(facts["monotonic_ms"])
    watch.intervals.heard_ms[: len(groups)] += by_ms
    watch.intervals.resume(len(groups))
    watch.phases.seen_at[watch.phases.active()] += away_ms
    if away_ms > (watch.rule.window_s + watch.rule.for_s) * 1000:
        watch.phases.begin_anew()


def _owned(columns: dict[str, NDArray[Any]], owner: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(owner): column
        for name, column in columns.items()
        if name.startswith(owner)
    }


def _check(watch: LearnedWatch, columns: dict[str, NDArray[Any]], count: int) -> None:
    for owner, holder, names in _holders(watch):
        for name in names:
            column, saved = getattr(holder, name), columns.get(f"{owner}.{name}")
            if saved is None and owner == "phases":
                continue  # of a feature that the rule did not use then
            if saved is None or saved.dtype != column.dtype:
                message = f"column {owner}.{name} does not fit"
                raise ValueError(message)
            if saved.shape != (count, *column.shape[1:]):
                message = f"column {owner}.{name} has another length"
                raise ValueError(message)


def _restore_leaves(
    watch: LearnedWatch,
    columns: dict[str, NDArray[Any]],
    series: SeriesTable,
    rows: NDArray[np.int32],
) -> None:
    saved = columns["leaves.series"]
    here = np.full(len(saved), -1, np.int32)
    is_inside = (saved >= 0) & (saved < len(rows))
    here[is_inside] = rows[saved[is_inside]]
    is_known = here >= 0
    leaf = watch.groups.leaves_of(series, here[is_known])
    watch.reserve()
    mine = leaf != NO_GROUP
    for owner, memory, names in _by_leaf(watch):
        for name in names:
            column = columns[f"{owner}.{name}"][is_known][mine]
            getattr(memory, name)[leaf[mine]] = column


def _by_leaf(watch: LearnedWatch) -> tuple[tuple[str, object, tuple[str, ...]], ...]:
    """Return who holds a watch's columns by series, and their names."""
    leaves = ("leaves", watch.leaves, LeafMemory.COLUMNS)
    if watch.audience is None:
        return (leaves,)
    return (leaves, ("audience", watch.audience, AudienceMemory.COLUMNS))


def _holders(watch: LearnedWatch) -> tuple[tuple[str, object, tuple[str, ...]], ...]:
    """Return who holds a watch's columns by group, and their names."""
    return (
        ("intervals", watch.intervals, IntervalRings.COLUMNS),
        ("phases", watch.phases, watch.phases.columns),
        ("facts", watch.facts, GroupFacts.COLUMNS),
    )
