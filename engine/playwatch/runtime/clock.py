"""The only reader of the wall clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """The clocks of this machine."""

    def wall_ms(self) -> int:
        """Return milliseconds since the epoch, UTC. May step."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return milliseconds since some fixed moment. Never steps."""
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)
