"""The channel desk of a running engine: what is done takes effect at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.runtime.channel_desk import StoreChannels
from playwatch.runtime.channel_views import Condition

if TYPE_CHECKING:
    from playwatch.config.schema import Settings
    from playwatch.core.pipeline import Pipeline, Step
    from playwatch.core.samples import Instant
    from playwatch.ports import Clock, Store
    from playwatch.runtime.evaluate import Evaluator
    from playwatch.runtime.outbox import Outbox
    from playwatch.runtime.reload import Reloader
    from playwatch.runtime.roster import Roster
    from playwatch.runtime.self_watch import SelfWatch


class EngineChannels(StoreChannels):
    """Works inside a running engine, between two steps of its evaluator."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        roster: Roster,
        reloader: Reloader,
        evaluator: Evaluator,
        self_watch: SelfWatch,
        outbox: Outbox,
    ) -> None:
        super().__init__(store, clock, roster, reloader.written, reloader.opened)
        self._reloader = reloader
        self._evaluator = evaluator
        self._self_watch = self_watch
        self._outbox = outbox

    def _settings(self) -> Settings:
        return self._reloader.written

    async def _refresh(self, *, is_changed: bool = False) -> None:
        if is_changed:
            await self._reloader.refresh()

    async def _withdraw(self, name: str) -> list[str]:
        ended: list[str] = []

        def withdraw(pipeline: Pipeline, now: Instant) -> Step:
            step = pipeline.withdraw(name, now)
            ended.extend(each.incident_id for each in step.changes.deliveries)
            return step

        await self._evaluator.change(withdraw)
        sends = self._sends_resolves(name)
        return [*ended, *await self._self_watch.withdraw(name, sends_resolves=sends)]

    def _condition(self, name: str) -> Condition:
        complaint = self._outbox.complaints().get(name, "")
        state = "misconfigured" if complaint else "working"
        if name in self._outbox.away():
            state = "away"
        elif not complaint and (held := self._outbox.held_back().get(name)):
            state, complaint = "limited", f"held back by a rate limit: {held}"
        return Condition(state, complaint, self._outbox.given_up().get(name, 0))
