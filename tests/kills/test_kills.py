"""Fault 14: killed with -9 at every commit, send and acknowledgement, the truth arrives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.kills.harness import KILLED, boundaries, die_at, die_in_flight, nursery

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = 8
LEAST = 80
"""Boundaries that a life passes at the least; it has more where its commits fall apart."""
IN_FLIGHT = 16
"""Requests of an undisturbed life: two channels, four triggers, a rise, two resolves."""


async def test_an_engine_killed_at_some_boundary_ends_in_the_truth(tmp_path: Path) -> None:
    async with nursery() as house:
        passed = await boundaries(house, tmp_path)
        step = len(passed) / SAMPLE
        for point in [1 + round(number * step) for number in range(SAMPLE)]:
            codes = await die_at(house, tmp_path / str(point), point)
            assert codes == [KILLED] or point > LEAST


async def test_an_engine_killed_with_a_request_out_ends_in_the_truth(tmp_path: Path) -> None:
    async with nursery() as house:
        for request in (0, 7):
            folder = tmp_path / str(request)
            assert await die_in_flight(house, folder, request, is_ingested=request % 2 == 0)


@pytest.mark.long
@pytest.mark.timeout(1_800)
async def test_every_boundary_twice(tmp_path: Path) -> None:
    """Each boundary once, and each with a second death at some boundary of the next life."""
    rng = random.Random(7)  # noqa: S311 - points, not secrets
    runs = killed = 0
    async with nursery() as house:
        passed = await boundaries(house, tmp_path)
        for point in range(1, len(passed) + 1):
            second = rng.randint(1, max(1, len(passed) - point))
            for points in ((point,), (point, second)):
                codes = await die_at(house, tmp_path / "-".join(map(str, points)), *points)
                runs, killed = runs + len(codes) + 1, killed + codes.count(KILLED)
        for request in range(IN_FLIGHT):
            for is_ingested in (False, True):
                folder = tmp_path / f"{request}-{is_ingested}"
                code = await die_in_flight(house, folder, request, is_ingested=is_ingested)
                runs, killed = runs + 2, killed + (code == KILLED)
    kinds = ", ".join(sorted(set(passed)))
    print(f"{len(passed)} boundaries ({kinds}): {runs} lives, {killed} killed")  # noqa: T201 - figures
    assert killed > len(passed)
