"""Fault 26: hours of everything at random, with a crash now and then."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.soak import Soak

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 600.0


async def test_half_an_hour_of_trouble_ends_in_the_truth(tmp_path: Path) -> None:
    soak = Soak(tmp_path, seed=1)
    await soak.play(hours=0.5)

    assert soak.crashes > 0
    assert soak.opened > 50


@pytest.mark.long
@pytest.mark.timeout(1_200)
async def test_ten_minutes_of_days_of_trouble_end_in_the_truth_with_memory_flat(
    tmp_path: Path,
) -> None:
    began, seed, crashes, requests, hours = time.monotonic(), 100, 0, 0, 0
    first_kb = 0
    while time.monotonic() - began < LONG_S:
        folder = tmp_path / str(seed)
        folder.mkdir()
        soak = Soak(folder, seed)
        await soak.play(hours=6)
        seed, crashes, requests = seed + 1, crashes + soak.crashes, requests + soak.requests
        hours += 6
        first_kb = first_kb or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first_kb
    print(f"{hours} h, {crashes} crashes, {requests} requests, {grown_kb} kB more")  # noqa: T201 - figures to watch

    assert grown_kb < 0.2 * first_kb
