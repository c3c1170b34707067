"""The casebook: the open incidents of one rule, and what is decided of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.core.incidents import Change, Incident
from playwatch.core.phases import Phase
from playwatch.core.series import NEVER

if TYPE_CHECKING:
    from playwatch.core.clerk import Clerk
    from playwatch.core.decisions import Decision
    from playwatch.core.transitions import Move, Transition

MOVES_LIMIT: Final = 100
"""Changes of phase that are written down of one incident, openings and ends aside."""

Turn = tuple[Change, Incident]
"""What happened to an incident, and the incident as it stands after."""


class Casebook:
    """Keeps the open incidents of one rule, by group.

    Attributes
    ----------
    open
        The open incident of each group that has one.
    """

    def __init__(self) -> None:
        self.open: dict[int, Incident] = {}
        self._decisions: list[Decision] = []
        self._moves: dict[int, int] = {}
        self._recoveries: dict[int, str] = {}
        self._opened_at: dict[int, int] = {}

    def drain(self) -> list[Decision]:
        """Return the decisions since the last call that are no turn of an incident."""
        decisions, self._decisions = self._decisions, []
        return decisions

    def adopt(self, group: int, incident: Incident) -> None:
        """Take over an incident that the store says is open."""
        self.open[group] = incident
        self._opened_at[group] = incident.opened_at

    def turn(
        self, clerk: Clerk, transition: Transition, breakdowns: tuple[tuple[str, str], ...]
    ) -> Turn:
        """Make the incident that a transition begins, or change the one that is open."""
        group = transition.group
        if transition.change is Change.OPENED:
            # Two incidents in one millisecond, as corrections can bring, are two.
            last_at = self._opened_at.get(group, NEVER)
            opened_at = self._opened_at[group] = max(transition.at, last_at + 1)
            incident = clerk.opened(transition, breakdowns, opened_at)
            if clerk.rule.for_s and not incident.is_silence:
                self._decisions.append(clerk.crossing(incident, transition))
        elif transition.change is Change.ROSE:
            incident = clerk.risen(self.open[group], transition)
        elif transition.change is Change.FLAPPED:
            incident = clerk.flapped(self.open[group])
        else:
            self._moves.pop(group, None)
            recovery = self._recoveries.pop(group, "")
            return transition.change, clerk.ended(self.open.pop(group), transition, recovery)
        self.open[group] = incident
        return transition.change, incident

    def note(self, clerk: Clerk, move: Move) -> None:
        """Write down why an open incident changed its phase; `MOVES_LIMIT` times at most."""
        incident = self.open[move.group]
        if move.after is Phase.LINGERING:
            self._recoveries[move.group] = clerk.recovery(incident, move)
        count = self._moves[move.group] = self._moves.get(move.group, 0) + 1
        if count <= MOVES_LIMIT:
            self._decisions.append(clerk.move(incident, move))
