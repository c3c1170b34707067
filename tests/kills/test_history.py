# ruff: noqa: ASYNC240 - a test's loop has nobody else to serve
"""Killed with -9 at every statement that writes the history, it holds whole minutes, once."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from playwatch.core.metrics import Merge
from playwatch.core.series import canonical_dimensions
from playwatch.store.history import History
from playwatch.store.history_check import check_history
from tests.kills.harness import KILLED, Nursery, nursery
from tests.kills.historian import BEGIN, COUNTRIES, METRICS, MINUTES, Life, told, value_of
from tests.kills.nursery import PASSED
from tests.stage import FAILURES

if TYPE_CHECKING:
    from pathlib import Path

HISTORIAN = "tests.kills.historian"
SAMPLE = 12


async def test_a_keeper_killed_at_some_statement_leaves_whole_minutes(tmp_path: Path) -> None:
    async with nursery(HISTORIAN) as house:
        points = await turning_points(house, tmp_path / "whole")
        for point in points[:: len(points) // SAMPLE]:
            assert await die_at(house, tmp_path / str(point), point) == [KILLED, 0]


@pytest.mark.long
@pytest.mark.timeout(1_800)
async def test_a_keeper_killed_at_every_statement_leaves_whole_minutes(tmp_path: Path) -> None:
    async with nursery(HISTORIAN) as house:
        points = await turning_points(house, tmp_path / "whole")
        for number, point in enumerate(points):
            second = points[number * 7919 % len(points)]
            await die_at(house, tmp_path / str(point), point, second)


async def turning_points(house: Nursery, folder: Path) -> list[int]:
    """Return the numbers of the statements of an undisturbed life that begin, write or end."""
    folder.mkdir()
    assert await house.live(Life(str(folder))) == 0
    passed: list[str] = json.loads((folder / PASSED).read_text())
    assert {"BEGIN", "INSERT INTO blocks", "DELETE FROM blocks", "COMMIT"} < set(passed)
    assert_whole(folder)
    assert told(folder, "written ") == list(range(BEGIN, BEGIN + MINUTES))
    is_apart = ("SELECT", "INSERT INTO series")
    return [n for n, words in enumerate(passed, 1) if not words.startswith(is_apart)]


async def die_at(house: Nursery, folder: Path, *points: int) -> list[int]:
    """Kill one life after the other, then let one live; the history is whole after each."""
    folder.mkdir()
    codes = []
    for point in (*points, 0):
        codes.append(await house.live(Life(str(folder), point)))
        assert codes[-1] in {0, KILLED}
        assert_whole(folder)
    assert max(told(folder, "begun ")) == BEGIN + MINUTES - 1
    return codes


def assert_whole(folder: Path) -> None:
    """Assert that every minute that was written is there as it was, none twice, none in part."""
    assert check_history(folder / "history.db").problems == ()
    begun, written = (set(told(folder, word)) for word in ("begun ", "written "))
    names = [canonical_dimensions({"country": name}) for name in COUNTRIES]
    with closing(History.open(folder / "history.db", read_only=True)) as history:
        for metric in METRICS:
            ids = history.find(metric, names)
            merge = Merge.MEAN if metric == FAILURES else Merge.SUM
            rows = history.read(list(ids.values()), merge, 0, 10**9)
            found = {
                (int(series), int(minute)): (value, views)
                for series, minute, value, views in zip(
                    rows.series, rows.minute, rows.value, rows.views, strict=True
                )
            }
            minutes = {minute for _, minute in found}
            assert written <= minutes <= begun
            times = 1 if merge is Merge.MEAN else 2
            assert found == {
                (ids[name], minute): (times * value_of(metric, minute, number), 100)
                for minute in minutes
                for number, name in enumerate(names)
            }
