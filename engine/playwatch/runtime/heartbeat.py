"""The heartbeat: tells a dead-man's switch that all is well, and is silent when it is not.

Whatever keeps pages from going out keeps the heartbeat from going out, too:
the switch then trips, and tells people by a way of its own. So it beats only
while the engine is subscribed, evaluates, and delivers.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from playwatch.channels.http import Answer, HttpPost

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from playwatch.config.heartbeat import HeartbeatSettings
    from playwatch.ports import Clock
    from playwatch.telemetry import Telemetry

STUCK_S: Final = 5.0
"""How long a step of the evaluator may take before the engine counts as stuck."""

_BODY: Final = b'{"status":"ok"}'
_ACCEPTED: Final = range(200, 300)

log = logging.getLogger("playwatch.heartbeat")


class Heartbeat:
    """Beats while all is well.

    Parameters
    ----------
    settings
        Where to, and how often.
    complaints
        Returns what keeps the engine from its work; empty when nothing does.
    paused
        Holds evaluation between two steps: it must be had in time for the
        engine to count as alive.
    stuck_s
        How long that may take.
    """

    def __init__(
        self,
        settings: HeartbeatSettings,
        complaints: Callable[[], list[str]],
        paused: Callable[[], AbstractAsyncContextManager[None]],
        clock: Clock,
        telemetry: Telemetry,
        stuck_s: float = STUCK_S,
    ) -> None:
        self._post = HttpPost(settings.url.get_secret_value(), clock=clock)
        self._every_s = settings.every_s
        self._complaints = complaints
        self._paused = paused
        self._clock = clock
        self._telemetry = telemetry
        self._stuck_s = stuck_s
        self._told = ""

    async def run(self) -> None:
        """Beat until cancelled."""
        try:
            while True:
                await self._beat()
                await self._clock.sleep(self._every_s)
        finally:
            await self._post.close()

    async def _beat(self) -> None:
        """Send one beat, or keep it back; say so where that has changed."""
        trouble = await self._trouble()
        result, said = "withheld", f"no heartbeat: {trouble}"
        if not trouble:
            failed = await self._failure()
            result, said = ("failed", f"the heartbeat failed: {failed}") if failed else ("sent", "")
        self._telemetry.heartbeats.labels(result).inc()
        if result == "sent":
            self._telemetry.heartbeat_at.set(self._clock.wall_ms() / 1000)
        if said != self._told:
            self._told = said
            log.warning("%s", said or "the heartbeat goes out again")

    async def _trouble(self) -> str:
        """Return why the engine does not do its work; empty when it does."""
        if complaints := self._complaints():
            return "; ".join(complaints)
        try:
            async with asyncio.timeout(self._stuck_s), self._paused():
                return ""
        except TimeoutError:
            return f"a step of the evaluation has not ended for {self._stuck_s:g} s"

    async def _failure(self) -> str:
        """Send one beat; return why it did not arrive."""
        outcome = await self._post.send(_BODY)
        if not isinstance(outcome, Answer):
            return outcome.reason
        return "" if outcome.status in _ACCEPTED else f"{self._post.host} answered {outcome.status}"
