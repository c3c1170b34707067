"""Suggests a bound and a duration for a rule, from a budget of pages.

The rule runs over the inputs with many bounds and durations at once, by the
same evaluator as live. Bounds come from quantiles of the windowed value, so
that they are neither all silent nor all noisy. The suggestion is the setting that
tells most within the budget; of equal ones that with the shortest duration,
then the most sensitive bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.rules import Bound, Threshold, Tier
from playwatch.errors import PlaywatchError
from playwatch.runtime.backtest import WEEK_MS, backtest
from playwatch.runtime.replay import Evaluation, replayed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.config.schema import Settings
    from playwatch.core.rules import Rule
    from playwatch.runtime.backtest import Told
    from playwatch.runtime.replay_inputs import Inputs

QUANTILES: Final = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
DURATIONS_S: Final = (0.0, 60.0, 300.0, 600.0)

_PERIOD_MS: Final = {
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": WEEK_MS,
    "month": 30 * 86_400_000,
}
_BUDGET: Final = re.compile(r"(\d+(?:\.\d+)?) (?:per|a) (hour|day|week|month)")
_LOOK_MS: Final = 10_000
_MAX_VALUES: Final = 4_000_000


class SuggestError(PlaywatchError):
    """Nothing can be suggested, with the reason."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One bound with one duration, and what it would have done.

    Attributes
    ----------
    incidents_per_week
        An incident is one page at each channel.
    in_incident_ms
        Time with at least one incident.
    """

    bound: Bound
    resolve: Bound
    for_s: float
    incidents: int
    incidents_per_week: float
    in_incident_ms: int
    is_within: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The trade-off, and what fits the budget best.

    Attributes
    ----------
    best
        None when every trial is over the budget.
    """

    rule: str
    per_week: float
    trials: tuple[Trial, ...]
    best: Trial | None


def budget_per_week(text: str) -> float:
    """Return ``3 per week`` as pages per week.

    Raises
    ------
    SuggestError
        If the text is no budget.
    """
    found = _BUDGET.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is not a budget: write it as '3 per week' (hour, day, week, month)"
        raise SuggestError(message)
    return float(found[1]) * WEEK_MS / _PERIOD_MS[found[2]]


def suggest(
    inputs: Inputs, settings: Settings, rule: Rule, per_week: float, told: Told | None = None
) -> Suggestion:
    """Return which bounds and durations keep a rule within a budget.

    Raises
    ------
    SuggestError
        If the rule is no threshold, or the inputs hold nothing that it watches.

    Notes
    -----
    Two passes over the inputs: one for the values, one with at most 50
    variants of the rule side by side. A rule with several tiers is tried with
    the lowest, which decides when an incident opens; its resolve bound keeps
    its distance in proportion.
    """
    condition = rule.condition
    if not isinstance(condition, Threshold):
        message = f"rule {rule.name} has no bound: it is learned"
        raise SuggestError(message)
    values = _values(inputs, settings, rule, told)
    if not len(values):
        message = f"the inputs hold nothing that rule {rule.name} watches"
        raise SuggestError(message)
    variants = _variants(rule, condition, values)
    found = backtest(inputs, settings, rules=variants, told=told)
    if found.length_ms <= 0:
        message = "the inputs are a single moment, which tells nothing about a week"
        raise SuggestError(message)
    trials = []
    for variant, done in zip(variants, found.sums(), strict=True):
        tried = variant.condition
        assert isinstance(tried, Threshold)  # noqa: S101 - made so above
        weekly = done.incidents * WEEK_MS / found.length_ms
        trials.append(
            Trial(
                bound=Bound(tried.comparison, tried.tiers[0].limit),
                resolve=tried.resolve,
                for_s=variant.for_s,
                incidents=done.incidents,
                incidents_per_week=weekly,
                in_incident_ms=done.in_incident_ms,
                is_within=weekly <= per_week,
            )
        )
    best = min(
        (trial for trial in trials if trial.is_within),
        key=lambda trial: (-trial.incidents, trial.for_s),
        default=None,
    )
    return Suggestion(rule.name, per_week, tuple(trials), best)


def _values(
    inputs: Inputs, settings: Settings, rule: Rule, told: Told | None
) -> NDArray[np.float64]:
    """Return the windowed values of all groups, looked at again and again."""
    evaluation = Evaluation(settings, rules=[rule])
    (watch,) = evaluation.pipeline.watches
    parts: list[NDArray[np.float64]] = []
    last_at, count, apart_ms = -(10**15), 0, _LOOK_MS
    for now, _ in replayed(inputs, evaluation):
        if now.at - last_at < apart_ms or not len(watch.groups):
            continue
        last_at = now.at
        every = np.arange(len(watch.groups), dtype=np.int32)
        parts.append(watch.values(every, now.monotonic_ms))
        count += len(every)
        if count > _MAX_VALUES:
            parts, apart_ms = parts[::2], 2 * apart_ms
            count = sum(map(len, parts))
        if told is not None:
            told(inputs.position, evaluation.samples)
    values = np.concatenate(parts) if parts else np.zeros(0)
    finite: NDArray[np.float64] = values[np.isfinite(values)]
    return finite


def _variants(rule: Rule, condition: Threshold, values: NDArray[np.float64]) -> list[Rule]:
    """Return the rule with each bound and duration, the most sensitive first."""
    is_upward = condition.comparison.is_upward
    quantiles = QUANTILES if is_upward else tuple(1 - one for one in QUANTILES)
    limits = dict.fromkeys(_rounded(one) for one in np.quantile(values, quantiles).tolist())
    durations = sorted({*DURATIONS_S, rule.for_s})
    return [
        replace(
            rule,
            name=f"{rule.name}/{number}/{for_s:g}",
            condition=_moved(condition, limit),
            for_s=for_s,
        )
        for number, limit in enumerate(sorted(limits, reverse=not is_upward))
        for for_s in durations
    ]


def _moved(condition: Threshold, limit: float) -> Threshold:
    """Return a condition with one tier at a limit; the way back keeps its share."""
    lowest = condition.tiers[0]
    back = condition.resolve.limit
    share = back / lowest.limit if lowest.limit else 1.0
    resolve = Bound(condition.resolve.comparison, _rounded(limit * share))
    return Threshold(condition.comparison, (Tier(lowest.severity, limit),), resolve)


def _rounded(value: float) -> float:
    """Return a value with three significant digits, as a person would write it."""
    return float(f"{value:.3g}")
