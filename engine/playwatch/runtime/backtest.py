"""Backtest: what a rule set would have done with what was recorded."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from playwatch.config.anomalies import AUTOMATIC
from playwatch.core.deliveries import Action
from playwatch.runtime.replay import INSTALLATION, Evaluation, replayed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from playwatch.config.schema import Settings
    from playwatch.core.incidents import Incident
    from playwatch.core.pipeline import Step
    from playwatch.core.rules import Rule
    from playwatch.core.samples import Instant
    from playwatch.runtime.backtest_traces import Traces
    from playwatch.runtime.replay_inputs import Inputs

    Told = Callable[[int, int], None]

WEEK_MS: Final = 7 * 86_400_000
_STEPS_BETWEEN: Final = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """One incident that would have been.

    Attributes
    ----------
    incident
        As it stood at the end.
    pages
        How many pages each channel would have sent: distinct dedup keys, since
        a receiver folds a second trigger with the same key into the first.
    """

    incident: Incident
    pages: Mapping[str, int] = field(default_factory=dict)

    def end_at(self, until_at: int) -> int:
        """Return when it ended; the end of the data while it is open."""
        at = self.incident.resolved_at
        return max(self.incident.started_at, until_at if at is None else at)


@dataclass(frozen=True, slots=True)
class RuleSum:
    """What one rule would have done.

    Attributes
    ----------
    in_incident_ms
        Time in which at least one of its incidents lasted.
    """

    rule: str
    incidents: int
    groups: int
    pages: int
    in_incident_ms: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a rule set would have done.

    Attributes
    ----------
    from_at, until_at
        The first and the last instant, milliseconds since the epoch, UTC; the
        time of the oldest sample where that is before the first arrived.
    outcomes
        By opening.
    samples
        Received, refused ones included; ``refused`` counts those by reason.
    """

    from_at: int
    until_at: int
    rules: tuple[Rule, ...]
    outcomes: tuple[Outcome, ...]
    samples: int
    refused: Mapping[str, int]
    late: int

    @property
    def length_ms(self) -> int:
        """How long the data is."""
        return self.until_at - self.from_at

    @property
    def pages(self) -> int:
        """How many pages there would have been, over all channels."""
        return sum(sum(outcome.pages.values()) for outcome in self.outcomes)

    def per_week(self, count: int) -> float | None:
        """Return a count as a rate; None without a length of time."""
        return count * WEEK_MS / self.length_ms if self.length_ms > 0 else None

    def sums(self) -> list[RuleSum]:
        """Return what each rule would have done, in the order of the rules."""
        of_rule: dict[str, list[Outcome]] = {rule.name: [] for rule in self.rules}
        for outcome in self.outcomes:
            of_rule.setdefault(outcome.incident.rule, []).append(outcome)
        return [
            RuleSum(
                rule=name,
                incidents=len(outcomes),
                groups=len({outcome.incident.breakdowns for outcome in outcomes}),
                pages=sum(sum(outcome.pages.values()) for outcome in outcomes),
                in_incident_ms=covered_ms(
                    (one.incident.started_at, one.end_at(self.until_at)) for one in outcomes
                ),
            )
            for name, outcomes in of_rule.items()
        ]


class Ledger:
    """Collects the incidents and pages of a run."""

    def __init__(self) -> None:
        self._incidents: dict[str, Incident] = {}
        self._keys: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def note(self, step: Step) -> None:
        """Take what one step decided."""
        for _, incident in step.turns:
            self._incidents[incident.id] = incident
        for delivery in step.changes.deliveries:
            if delivery.action is Action.TRIGGER:
                self._keys[delivery.incident_id].add((delivery.channel, delivery.dedup_key))

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return the incidents by opening."""
        incidents = sorted(self._incidents.values(), key=lambda one: (one.opened_at, one.id))
        return tuple(
            Outcome(one, dict(Counter(channel for channel, _ in self._keys.get(one.id, ()))))
            for one in incidents
        )


def backtest(
    inputs: Inputs,
    settings: Settings,
    *,
    rules: Sequence[Rule] | None = None,
    traces: Traces | None = None,
    told: Told | None = None,
) -> Backtest:
    """Return what rules would have done with the inputs.

    Parameters
    ----------
    rules
        Other rules than those of the settings.
    traces
        Takes the values over time, for charts.
    told
        Called now and then with bytes read and samples evaluated.

    Raises
    ------
    RecordingError
        If an input cannot be read.

    Notes
    -----
    One pass. Memory does not grow with recordings; files of samples are held
    in columns, 28 bytes a sample.
    """
    evaluation = Evaluation(settings, inputs.installation or INSTALLATION, rules=rules)
    ledger = Ledger()
    from_at: int | None = None
    now: Instant | None = None
    for number, (now, step) in enumerate(replayed(inputs, evaluation)):
        from_at = now.at if from_at is None else from_at
        if step.changes:
            ledger.note(step)
        if traces is not None:
            traces.look(evaluation.pipeline, now, step)
        if told is not None and number % _STEPS_BETWEEN == 0:
            told(inputs.position, evaluation.samples)
    if told is not None:
        told(inputs.size, evaluation.samples)
    first_at = from_at or 0
    oldest_at = first_at if evaluation.oldest_at is None else evaluation.oldest_at
    return Backtest(
        from_at=min(first_at, oldest_at),
        until_at=first_at if now is None else now.at,
        rules=tuple(
            watch.rule
            for watch in evaluation.pipeline.watches
            # What nobody asked for is worth a line when there was something to learn.
            if len(watch.groups) or not watch.rule.name.startswith(AUTOMATIC)
        ),
        outcomes=ledger.outcomes(),
        samples=evaluation.samples,
        refused=dict(evaluation.refused),
        late=evaluation.late,
    )


def covered_ms(spans: Iterable[tuple[int, int]]) -> int:
    """Return how much time some spans cover together."""
    covered = 0
    reached: int | None = None
    for start, end in sorted(spans):
        start_here = start if reached is None else max(start, reached)
        covered += max(0, end - start_here)
        reached = end if reached is None else max(reached, end)
    return covered
