"""Rules: what the operator asked to be told about."""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from enum import Enum, IntEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwatch.core.hours import ActiveHours


class AlertType(Enum):
    """What raised an incident; channels filter by it."""

    THRESHOLD = "threshold"
    ANOMALY = "anomaly"
    ENGINE = "engine"
    """What the engine says of itself."""


class Severity(IntEnum):
    """PagerDuty's four levels, in rising order."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The level as people and PagerDuty write it: ``critical``."""
        return _WORDS[self]


_WORDS: Final = tuple(severity.name.lower() for severity in Severity)


class Comparison(Enum):
    """How a value is held against a bound."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="

    @property
    def holds(self) -> Callable[..., bool]:
        """The comparison itself: ``holds(value, bound)``, also for arrays."""
        return _OPERATORS[self]

    @property
    def opposite(self) -> Comparison:
        """The comparison that is true exactly when this one is false."""
        return _OPPOSITES[self]

    @property
    def is_upward(self) -> bool:
        """True when greater values satisfy it."""
        return self is Comparison.ABOVE or self is Comparison.AT_LEAST


_OPERATORS: Final[dict[Comparison, Callable[..., bool]]] = {
    Comparison.ABOVE: operator.gt,
    Comparison.AT_LEAST: operator.ge,
    Comparison.BELOW: operator.lt,
    Comparison.AT_MOST: operator.le,
}
_OPPOSITES: Final = {
    Comparison.ABOVE: Comparison.AT_MOST,
    Comparison.AT_LEAST: Comparison.BELOW,
    Comparison.BELOW: Comparison.AT_LEAST,
    Comparison.AT_MOST: Comparison.ABOVE,
}


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison with its limit: ``> 5``."""

    comparison: Comparison
    limit: float

    def __str__(self) -> str:
        """Return the bound as people write it: ``> 5``."""
        return f"{self.comparison.value} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Matcher:
    """What one dimension of a series must be.

    Attributes
    ----------
    dimension
        Its name.
    include
        Shell patterns of which one must match; empty means any value.
    exclude
        Shell patterns of which none may match. A missing dimension passes.
    must_be_missing
        True when only series without the dimension match.
    """

    dimension: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    must_be_missing: bool = False

    def matches(self, dimensions: Mapping[str, str]) -> bool:
        """Return whether a series with these dimensions passes."""
        value = dimensions.get(self.dimension)
        if self.must_be_missing or value is None:
            return value is None and not self.include
        if any(_fits(value, pattern) for pattern in self.exclude):
            return False
        return not self.include or any(_fits(value, pattern) for pattern in self.include)


def _fits(value: str, pattern: str) -> bool:
    """Return whether a pattern is a value or describes it: names may hold brackets."""
    return value == pattern or fnmatchcase(value, pattern)


@dataclass(frozen=True, slots=True)
class Tier:
    """One level of a threshold: from here on the incident has this severity."""

    severity: Severity
    limit: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """A condition with fixed bounds.

    Attributes
    ----------
    comparison
        How a value breaches, the same for every tier.
    tiers
        In rising severity; each is at least as far out as the one before.
    resolve
        Where the metric counts as recovered.
    """

    comparison: Comparison
    tiers: tuple[Tier, ...]
    resolve: Bound


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A condition with learned bounds.

    Attributes
    ----------
    budget_per_week
        False pages that people can live with, over all groups of the rule.
    groupings
        The nodes of the lattice: for each of them one group per combination of
        the values. None for everything together and each single dimension
        that the series have.
    severity
        Of its incidents.
    min_affected_views
        Views hit beyond what was expected below which nothing opens.
    pool
        Rules of one pool share the budget of any one of them; empty for alone.
    """

    budget_per_week: float
    groupings: tuple[tuple[str, ...], ...] | None = None
    severity: Severity = Severity.CRITICAL
    min_affected_views: float = 0.0
    pool: str = ""


class Aggregate(Enum):
    """How the samples of a window become one value."""

    MEAN = "mean"
    """Mean weighted by views, over series and over time."""
    SUM = "sum"
    """Sum over series and over time."""
    MIN = "min"
    """The smallest single sample."""
    MAX = "max"
    """The greatest single sample."""
    LAST = "last"
    """Each series' latest sample: their mean weighted by views, or their sum where
    the metric adds up over series."""


class NoDataPolicy(Enum):
    """What follows when a group that was heard before sends nothing."""

    KEEP = "keep"
    """Nothing: silence is not recovery, and no problem either."""
    RESOLVE = "resolve"
    """An open incident ends."""
    OPEN = "open"
    """An incident opens; one per silence."""


@dataclass(frozen=True, slots=True)
class NoData:
    """What silence means to a rule, and after how many seconds of it."""

    policy: NoDataPolicy = NoDataPolicy.KEEP
    after_s: float = 300.0


class OnEdit(Enum):
    """What becomes of open incidents when the bounds or durations of their rule change."""

    KEEP = "keep"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Rule:
    """What to watch, when to open an incident and when to resolve it.

    Attributes
    ----------
    name
        Unique in the configuration.
    metric
        A key of the catalogue.
    condition
        Fixed or learned bounds; the alert type follows from it.
    where
        Matchers that a series must all pass.
    by
        One group, and so at most one open incident, per combination of the
        values of these dimensions.
    window_s
        How much of the recent past is judged.
    for_s, resolve_for_s
        How long the condition, or the recovery, must hold.
    min_views
        Views in the window below which nothing opens and nothing resolves.
    expire_after_s
        Silence after which an open incident is closed as expired.
    summary
        A text with named fields, or empty for the built-in one.
    runbook
        A URL for the responder, or empty.
    aggregate
        How the window becomes one value; None as the metric says.
    confidence
        How sure a breach must be, 0.5 to below 1: see `confidence`. 0 judges the
        plain value.
    no_data
        What silence means.
    flap_within_s
        An incident that would end and open again within this time goes on
        instead; 0 ends it at once.
    active
        When incidents may open and rise; None always.
    on_edit
        What a change of the rule does to its open incidents.
    repage_on_rise
        True to page again when the severity rises.
    """

    name: str
    metric: str
    condition: Threshold | Anomaly
    where: tuple[Matcher, ...] = ()
    by: tuple[str, ...] = ()
    window_s: float = 60.0
    for_s: float = 0.0
    resolve_for_s: float = 0.0
    min_views: int = 0
    expire_after_s: float = 86_400.0
    summary: str = ""
    runbook: str = ""
    aggregate: Aggregate | None = None
    confidence: float = 0.0
    no_data: NoData = NoData()
    flap_within_s: float = 0.0
    active: ActiveHours | None = None
    on_edit: OnEdit = OnEdit.KEEP
    repage_on_rise: bool = False

    @property
    def alert_type(self) -> AlertType:
        """Whether its incidents are threshold or anomaly incidents."""
        is_threshold = isinstance(self.condition, Threshold)
        return AlertType.THRESHOLD if is_threshold else AlertType.ANOMALY

    @property
    def scope(self) -> str:
        """A digest of what is watched, and on which side it is bad.

        Two rules of one name and one scope are the same rule with other
        bounds: its incidents live on. With another scope they are closed. Under
        ``on_edit: close`` everything counts, edits made while no engine ran too.
        """
        what: tuple[object, ...] = (self.metric, self.where, self.by, self.window_s)
        if self.aggregate is not None:
            what = (*what, self.aggregate.value)
        if isinstance(self.condition, Anomaly):
            what = (*what, "anomaly", self.condition.groupings)
        if isinstance(self.condition, Threshold) and not self.condition.comparison.is_upward:
            what = (*what, "downward")
        if self.on_edit is OnEdit.CLOSE:
            what = (self,)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:16]
