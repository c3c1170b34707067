"""What the whole suite starts once and ends in any case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import forks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    """End the process that forks for commands, should a test have begun it."""
    yield
    forks.close()
