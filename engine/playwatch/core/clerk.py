"""The clerk writes down what a transition means: the incident, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from playwatch.core.decisions import Decision
from playwatch.core.incidents import Change, Incident, Status, incident_id, incident_key
from playwatch.core.phases import Phase
from playwatch.core.rules import Bound
from playwatch.core.summary import duration, quantity, summarise
from playwatch.core.verdicts import Verdict

if TYPE_CHECKING:
    from playwatch.core.metrics import Metric
    from playwatch.core.rules import Rule, Threshold
    from playwatch.core.transitions import Move, Transition
    from playwatch.core.verdicts import VerdictBatch

CROSSED: Final = "crossed"
"""The metric crossed its bound; the incident opened when that had held."""
CLEARING: Final = "clearing"
"""The metric crossed back; the incident ends when that has held."""
OPEN_AGAIN: Final = "open again"
"""It did not hold."""
RECOVERED: Final = "recovered"
"""It did, and the resolve is held back until the metric has stopped flapping."""


@dataclass(frozen=True, slots=True)
class Clerk:
    """Writes the incidents and decisions of one rule.

    Attributes
    ----------
    installation
        Goes into the identity of every incident.
    scope
        The rule's, which takes longer to work out than to write down.
    """

    rule: Rule
    condition: Threshold
    metric: Metric
    installation: str
    scope: str = field(init=False)

    def __post_init__(self) -> None:
        """Work out once what every incident says of its rule."""
        object.__setattr__(self, "scope", self.rule.scope)

    def opened(
        self, transition: Transition, breakdowns: tuple[tuple[str, str], ...], opened_at: int
    ) -> Incident:
        """Return the incident that begins."""
        key = incident_key(self.rule, breakdowns)
        tier = self.condition.tiers[max(transition.tier, 0)]
        begun = partial(
            Incident,
            id=incident_id(self.installation, key, opened_at),
            incident_key=key,
            rule=self.rule.name,
            scope=self.scope,
            alert_type=self.rule.alert_type,
            status=Status.OPEN,
            severity=tier.severity,
            measurement=self.metric.key,
            unit=self.metric.unit,
            breakdowns=breakdowns,
            measured_value=transition.value,
            peak_value=transition.peak,
            threshold=tier.limit,
            bound=self._bound(transition),
            sample_size=round(transition.views),
            affected_viewers=self._affected(transition),
            started_at=transition.since_at,
            opened_at=opened_at,
            window_s=self.rule.window_s,
            runbook=self.rule.runbook,
            is_silence=transition.is_silence,
        )
        return begun(summary=summarise(begun(), self.rule.summary))

    def risen(self, incident: Incident, transition: Transition) -> Incident:
        """Return an incident at its higher tier; a silence becomes one of values."""
        tier = self.condition.tiers[transition.tier]
        risen = replace(
            incident,
            severity=max(tier.severity, incident.severity),
            measured_value=transition.value,
            peak_value=transition.peak,
            threshold=tier.limit,
            bound=self._bound(transition),
            sample_size=round(transition.views),
            affected_viewers=self._affected(transition),
            is_silence=False,
        )
        return replace(risen, summary=summarise(risen, self.rule.summary))

    def flapped(self, incident: Incident) -> Incident:
        """Return an incident that goes on where it would have ended and opened again."""
        flapped = replace(incident, flaps=incident.flaps + 1)
        return replace(flapped, summary=summarise(flapped, self.rule.summary))

    def ended(self, incident: Incident, transition: Transition, recovery: str) -> Incident:
        """Return an incident that is over.

        Parameters
        ----------
        recovery
            The reason why it would have ended before its resolve was held
            back; empty where it was not.
        """
        has_expired = transition.change is Change.EXPIRED
        reason = recovery or self._recovery(incident, is_silence=transition.is_silence)
        if has_expired:
            reason = f"neither good nor bad for {duration(self.rule.expire_after_s)}"
        elif self.rule.flap_within_s:
            reason += f", and not bad again for {duration(self.rule.flap_within_s)}"
        # The event clock may have stepped back since the opening.
        ended_at = max(transition.at, incident.opened_at)
        return replace(
            incident,
            status=Status.EXPIRED if has_expired else Status.CLOSED,
            reason=reason,
            resolved_at=max(transition.since_at, incident.started_at),
            ended_at=ended_at,
            measured_value_on_close=None if math.isnan(transition.value) else transition.value,
            peak_value=transition.peak,
        )

    def crossing(self, incident: Incident, transition: Transition) -> Decision:
        """Return why the incident was pending before it opened."""
        lowest = self.condition.tiers[0]
        return Decision(
            incident_id=incident.id,
            at=transition.since_at,
            what=CROSSED,
            severity=incident.severity.word,
            value=_known(transition.crossed_value),
            views=round(transition.crossed_views),
            bound=str(Bound(self.condition.comparison, lowest.limit)),
            since_at=transition.since_at,
            reason=f"opens when it has held for {duration(self.rule.for_s)}",
        )

    def move(self, incident: Incident, move: Move) -> Decision:
        """Return why an open incident changed its phase."""
        what, reason = OPEN_AGAIN, self._relapse(move)
        if move.after is Phase.CLEARING:
            what, reason = (
                CLEARING,
                f"ends when it has held for {duration(self.rule.resolve_for_s)}",
            )
        elif move.after is Phase.LINGERING:
            recovery = self._recovery(incident, is_silence=move.is_silence)
            what = RECOVERED
            reason = f"{recovery}; ends unless bad again within {duration(self.rule.flap_within_s)}"
        return Decision(
            incident_id=incident.id,
            at=move.at,
            what=what,
            severity=incident.severity.word,
            value=_known(move.value),
            views=round(move.views),
            bound=incident.bound if what == OPEN_AGAIN else str(self.condition.resolve),
            reason=reason,
        )

    def correction(self, change: Change, tier: int, verdicts: VerdictBatch) -> str:
        """Return what late data say of a decision that they do not agree with.

        Parameters
        ----------
        change, tier
            What was decided.
        verdicts
            The one verdict that would be given now.
        """
        when, bound = "ended", self.condition.resolve
        if change is not Change.RESOLVED:
            when = change.value
            bound = Bound(self.condition.comparison, self.condition.tiers[tier].limit)
        value, views = float(verdicts.value[0]), round(float(verdicts.views[0]))
        reading = "nothing" if math.isnan(value) else quantity(value, self.metric.unit)
        over = "" if self.metric.measures_audience else f" over {views:,} views"
        return f"with late data it was {reading}{over} when it {when}, not {bound}"

    def recovery(self, incident: Incident, move: Move) -> str:
        """Return why an incident would end, were its resolve not held back."""
        return self._recovery(incident, is_silence=move.is_silence)

    def _recovery(self, incident: Incident, *, is_silence: bool) -> str:
        if is_silence:
            return f"no data for {duration(self.rule.no_data.after_s)}"
        what = "data again" if incident.is_silence else str(self.condition.resolve)
        if not self.rule.resolve_for_s:
            return what
        return f"{what} for {duration(self.rule.resolve_for_s)}"

    def _relapse(self, move: Move) -> str:
        if move.is_silence:
            return f"no data for {duration(self.rule.no_data.after_s)}"
        if move.verdict is Verdict.BREACH:
            return "bad again before it had recovered for long enough"
        if move.views < self.rule.min_views:
            return f"too few views: fewer than {self.rule.min_views}"
        return "neither bad nor recovered"

    def _bound(self, transition: Transition) -> str:
        if transition.is_silence:
            return f"no data for {duration(self.rule.no_data.after_s)}"
        tier = self.condition.tiers[max(transition.tier, 0)]
        return str(Bound(self.condition.comparison, tier.limit))

    def _affected(self, transition: Transition) -> int:
        """Return how many views were hit: the share for a percentage, none for an audience."""
        if self.metric.measures_audience or math.isnan(transition.value):
            return 0
        share = transition.value / 100 if self.metric.is_proportion else 1.0
        return round(share * transition.views)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
