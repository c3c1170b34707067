"""The phase of every group of one rule, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from playwatch.core.phases import Phase
from playwatch.core.rules import NoDataPolicy
from playwatch.core.series import NEVER, grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.rules import Rule

_FILL: Final[dict[str, float]] = {
    "phase": Phase.NORMAL,
    "tier": -1,
    "over_since": NEVER,
    "clear_since": NEVER,
    "seen_at": NEVER,
    "peak": np.nan,
    "crossed_value": np.nan,
    "crossed_views": 0,
    "linger_until": NEVER,
    "is_armed": True,
}


class PhaseColumns:
    """The phase of every group of one rule, and since when.

    Parameters
    ----------
    rule
        Gives the durations.
    tiers
        How many severities the rule tells apart.
    is_upward
        True when greater values are worse.

    Notes
    -----
    34 bytes a group with one tier; 16 more with ``for``, 8 more with ``flap``,
    one more where silence opens.
    """

    COLUMNS: ClassVar = ("phase", "tier", "over_since", "clear_since", "seen_at", "peak")

    def __init__(self, rule: Rule, tiers: int, *, is_upward: bool) -> None:
        self._for_ms = round(rule.for_s * 1000)
        self._resolve_ms = round(rule.resolve_for_s * 1000)
        self._expire_ms = round(rule.expire_after_s * 1000)
        self._patience_ms = round(rule.window_s * 1000)
        self._linger_ms = round(rule.flap_within_s * 1000)
        self._no_data = rule.no_data.policy
        self._gone_ms = round(rule.no_data.after_s * 1000)
        self._active = rule.active
        self._worse = np.fmax if is_upward else np.fmin
        self._busy: int | None = None
        self.phase: NDArray[np.int8] = np.zeros(0, np.int8)
        self.tier: NDArray[np.int8] = np.zeros(0, np.int8)
        self.over_since: NDArray[np.int64] = np.zeros((0, tiers), np.int64)
        self.clear_since: NDArray[np.int64] = np.zeros(0, np.int64)
        self.seen_at: NDArray[np.int64] = np.zeros(0, np.int64)
        self.peak: NDArray[np.float64] = np.zeros(0)
        self.crossed_value: NDArray[np.float64] = np.zeros(0)
        self.crossed_views: NDArray[np.float64] = np.zeros(0)
        self.linger_until: NDArray[np.int64] = np.zeros(0, np.int64)
        self.is_armed: NDArray[np.bool_] = np.zeros(0, np.bool_)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that this rule has: `COLUMNS`, and those of the features it uses."""
        crossing = ("crossed_value", "crossed_views") if self._for_ms else ()
        lingering = ("linger_until",) if self._linger_ms else ()
        arming = ("is_armed",) if self._no_data is NoDataPolicy.OPEN else ()
        return (*self.COLUMNS, *crossing, *lingering, *arming)

    def reserve(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups <= len(self.phase):
            return
        capacity = max(groups, 5 * len(self.phase) // 4, 64)
        for name in self.columns:
            setattr(self, name, grown(getattr(self, name), capacity, _FILL[name]))

    def forget(self, group: NDArray[np.integer]) -> None:
        """Make some groups as new."""
        self._busy = None
        for name in self.columns:
            getattr(self, name)[group] = _FILL[name]

    def carry(self, other: PhaseColumns, tiers: list[int]) -> None:
        """Take over the groups of another rule's state.

        Parameters
        ----------
        tiers
            For each tier, which one of the other rule it continues; -1 for none.
        """
        self.reserve(len(other.phase))
        for name in self.columns:
            if name in other.columns and name != "over_since":
                getattr(self, name)[: len(other.phase)] = getattr(other, name)
        for number, source in enumerate(tiers):
            if source >= 0:
                self.over_since[: len(other.phase), number] = other.over_since[:, source]
        if not self._linger_ms:
            self.phase[self.phase == Phase.LINGERING] = Phase.CLEARING

    @property
    def is_idle(self) -> bool:
        """True when every group is normal, so that time alone moves none."""
        if self._busy is None:
            self._busy = int(np.count_nonzero(self.phase))
        return not self._busy

    def active(self) -> NDArray[np.int32]:
        """Return the groups that time alone can move: all but the normal ones."""
        return np.flatnonzero(self.phase != Phase.NORMAL).astype(np.int32)

    def reopen(self, group: int, tier: int, peak: float, seen_at: int) -> None:
        """Put a group into OPEN, where the store says that it is; tier -1 is a silence."""
        self._busy = None
        if not self.is_open(group):
            self.phase[group] = Phase.OPEN
            self.clear_since[group] = NEVER
            self.seen_at[group] = seen_at
        self.tier[group] = tier
        self.peak[group] = self._worse(self.peak[group], peak)
        if tier < 0 and self._no_data is NoDataPolicy.OPEN:
            self.is_armed[group] = False

    def is_open(self, group: int) -> bool:
        """Return whether a group has an incident."""
        return bool(self.phase[group] >= Phase.OPEN)

    def begin_anew(self) -> None:
        """Put pending groups into NORMAL: nobody knows whether their condition held."""
        self._busy = None
        pending = np.flatnonzero(self.phase == Phase.PENDING)
        self.phase[pending] = Phase.NORMAL
        self.over_since[pending] = NEVER

    def settle(self, group: int) -> None:
        """Put a group into NORMAL, where the store knows of no incident."""
        self._busy = None
        self.phase[group] = Phase.NORMAL
        self.tier[group] = -1
        self.over_since[group] = NEVER
        self.clear_since[group] = NEVER
        self.peak[group] = np.nan
