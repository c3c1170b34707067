"""What keeps the engine from doing its work, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.ports import Source
    from playwatch.runtime.evaluate import Evaluator
    from playwatch.runtime.outbox import Outbox
    from playwatch.runtime.roster import Roster


class EngineHealth:
    """Looks at the parts of a running engine; nothing is sent to find out."""

    def __init__(
        self,
        sources: Sequence[Source],
        evaluator: Evaluator,
        outbox: Outbox,
        roster: Roster | None = None,
    ) -> None:
        self._roster = roster
        self._sources = sources
        self._evaluator = evaluator
        self._outbox = outbox

    def complaints(self) -> list[str]:
        """Return one sentence for each thing that is not as it should be."""
        away = [
            f"{source.name}: {source.trouble or 'not subscribed yet'}"
            for source in self._sources
            if not source.is_subscribed
        ]
        can_store = self._evaluator.can_store and self._outbox.can_store
        store = [] if can_store else ["the store takes no commits"]
        troubles = self._roster.troubles if self._roster else {}
        unwell = {**troubles, **self._outbox.complaints()}
        channels = [f"channel {name}: {complaint}" for name, complaint in unwell.items()]
        return [*away, *store, *channels]
