"""How the whole suite is run, and what it starts once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests import forks

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share the whole suite among processes; run what is named in this one.

    One more than there are processors, since many tests wait for other processes.
    """
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return len(os.sched_getaffinity(0)) + 1


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    """End the process that forks for commands, should a test have begun it."""
    yield
    forks.close()
