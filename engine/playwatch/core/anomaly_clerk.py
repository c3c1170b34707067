"""The clerk of learned rules: incidents that explain themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from playwatch.core.clerk import Clerk
from playwatch.core.rules import Anomaly, Bound, Comparison, Threshold, Tier
from playwatch.core.summary import band, duration, summarise
from playwatch_models.detector import Evidence

if TYPE_CHECKING:
    from playwatch.core.incidents import Cause, Incident
    from playwatch.core.metrics import Metric
    from playwatch.core.rules import Rule
    from playwatch.core.transitions import Transition


class Explanation(NamedTuple):
    """What the model knows of a group beside its verdict.

    Attributes
    ----------
    hit
        Views hit beyond normal since the deviation began.
    """

    expected: float
    low: float
    high: float
    since_at: int
    is_upward: bool
    evidence: int
    once_in_weeks: float
    hit: float
    causes: tuple[Cause, ...] = ()
    related_to: str = ""


@dataclass(frozen=True, slots=True)
class AnomalyClerk(Clerk):
    """Writes the incidents and decisions of one group of a learned rule."""

    told: Explanation

    def opened(
        self, transition: Transition, breakdowns: tuple[tuple[str, str], ...], opened_at: int
    ) -> Incident:
        """Return the incident that begins, with its band, its evidence and its cause."""
        # Its class is made anew for its slots, so there is no super() without arguments.
        incident = Clerk.opened(self, transition, breakdowns, opened_at)
        told = self.told
        incident = replace(
            incident,
            started_at=min(incident.started_at, told.since_at),
            expected=_known(told.expected),
            expected_low=_known(told.low),
            expected_high=_known(told.high),
            evidence=Evidence(told.evidence).name.lower(),
            once_in_weeks=told.once_in_weeks,
            causes=told.causes,
            related_to=told.related_to,
            affected_views=round(told.hit),
        )
        return replace(incident, summary=summarise(incident, self.rule.summary))

    def ended(self, incident: Incident, transition: Transition, recovery: str) -> Incident:
        """Return an incident that is over, with all the views that it hit."""
        ended = Clerk.ended(self, incident, transition, recovery)
        return replace(ended, affected_views=max(round(self.told.hit), incident.affected_views))

    def _recovery(self, incident: Incident, *, is_silence: bool) -> str:
        del incident, is_silence
        held = f" for {duration(self.rule.resolve_for_s)}" if self.rule.resolve_for_s else ""
        return f"normal again{held}"

    def _bound(self, transition: Transition) -> str:
        del transition
        return f"normal is {band(self.told.low, self.told.high, self.metric.unit)}"

    def _affected(self, transition: Transition) -> int:
        del transition
        return round(self.told.hit)


def anomaly_clerk(
    rule: Rule, condition: Anomaly, metric: Metric, installation: str, told: Explanation
) -> AnomalyClerk:
    """Return who writes of one group: to its band, as to the bounds of a threshold."""
    edge = told.high if told.is_upward else told.low
    comparison = Comparison.ABOVE if told.is_upward else Comparison.BELOW
    back = Bound(comparison.opposite, float(f"{edge:.3g}"))
    bounds = Threshold(comparison, (Tier(condition.severity, edge),), back)
    return AnomalyClerk(rule, bounds, metric, installation, told)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
