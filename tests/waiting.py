"""Waiting for what only real time brings: sockets, threads and other processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S: Final = 60.0
"""How long to wait before a test fails: longer than any stall of a busy machine."""


async def soon(holds: Callable[[], object]) -> None:
    """Return once a condition holds that does not wait for the clock of the test."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - a socket, a thread or another process brings it
            await asyncio.sleep(0.002)
