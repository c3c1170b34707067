"""Transitions: the few groups of a step whose incident changed, as objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from playwatch.core.incidents import Change
from playwatch.core.phases import GONE_RESOLVES, Phase
from playwatch.core.verdicts import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.verdicts import VerdictBatch


@dataclass(frozen=True, slots=True)
class Transition:
    """One incident that begins, rises, flaps or ends.

    Attributes
    ----------
    row
        Its place among the verdicts that the step judged.
    since_at
        When the metric crossed: into the tier, or back. Of a silence, when the
        group was last heard.
    at
        When that had held for long enough.
    tier
        The tier it is in now, or was in when it ended; -1 for a silence.
    value, views
        The verdict's numbers at that moment; ``value`` is NaN without data.
    peak
        The worst value while the incident was open.
    is_silence
        True when it is silence that opened or ended it.
    crossed_value, crossed_views
        For an opening: the numbers at the crossing.
    """

    change: Change
    row: int
    group: int
    at: int
    since_at: int
    tier: int
    value: float
    views: float
    peak: float
    is_silence: bool = False
    crossed_value: float = np.nan
    crossed_views: float = 0.0


class Move(NamedTuple):
    """A change of phase of an open incident that nobody is told of."""

    group: int
    at: int
    before: Phase
    after: Phase
    verdict: Verdict
    value: float
    views: float
    is_silence: bool


class Stepped(NamedTuple):
    """What one step changed: incidents, and phases of those that stay open."""

    transitions: list[Transition]
    moves: list[Move]


class Reading(NamedTuple):
    """What one step reads out of the verdicts, one entry for each group."""

    symbol: NDArray[np.intp]
    over: NDArray[np.int64]
    clear: NDArray[np.int64]
    seen_at: NDArray[np.int64]
    is_breach: NDArray[np.bool_]
    is_clear: NDArray[np.bool_]
    is_gone: NDArray[np.bool_]


def changes_of(
    phase: NDArray[np.int8],
    after: NDArray[np.int8],
    tier: NDArray[np.int8],
    reached: NDArray[np.int8],
    read: Reading,
) -> list[tuple[Change, int]]:
    """Return what happened to which entry of a step, openings first."""
    was_open, is_open = phase >= Phase.OPEN, after >= Phase.OPEN
    ends = was_open & ~is_open
    is_known = read.is_clear | (read.symbol == GONE_RESOLVES) | (phase == Phase.LINGERING)
    return [
        (change, int(i))
        for change, rows in (
            (Change.OPENED, is_open & ~was_open),
            (Change.FLAPPED, (phase == Phase.LINGERING) & (after == Phase.OPEN)),
            (Change.ROSE, was_open & (after == Phase.OPEN) & (reached > tier)),
            (Change.RESOLVED, ends & is_known),
            (Change.EXPIRED, ends & ~is_known),
        )
        for i in np.flatnonzero(rows)
    ]


def moves_of(
    verdicts: VerdictBatch, phase: NDArray[np.int8], after: NDArray[np.int8], read: Reading
) -> list[Move]:
    """Return the changes of phase of incidents that stay open, flaps left out."""
    rows = (phase >= Phase.OPEN) & (after >= Phase.OPEN) & (after != phase)
    rows &= (phase != Phase.LINGERING) | (after != Phase.OPEN)
    return [
        Move(
            group=int(verdicts.group[i]),
            at=int(verdicts.at[i]),
            before=Phase(phase[i]),
            after=Phase(after[i]),
            verdict=Verdict(verdicts.verdict[i]),
            value=float(verdicts.value[i]),
            views=float(verdicts.views[i]),
            is_silence=bool(read.is_gone[i]),
        )
        for i in np.flatnonzero(rows)
    ]
