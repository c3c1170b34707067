"""Anomalies as people write them: what to watch, and how many false pages to live with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from playwatch.config.budget import Budget  # noqa: TC001 - pydantic reads the annotation
from playwatch.config.fields import Choice, Dimension, Flag, Seconds, Strict, Text, Whole, mistake
from playwatch.config.hours import HoursSettings  # noqa: TC001 - the same
from playwatch.config.links import WebUrl  # noqa: TC001 - the same
from playwatch.config.matching import PatternField  # noqa: TC001 - the same
from playwatch.config.rules import FlapSettings, MetricKey, Name
from playwatch.config.template import check_template
from playwatch.core.metric_kinds import metric_class
from playwatch.core.rules import Anomaly, OnEdit, Rule, Severity
from playwatch_models.classes import MetricClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playwatch.config.schema import Settings

AUTOMATIC: Final = "anomaly/"
"""What the names of rules begin with that nobody has written."""
EXPECTED: Final = "expected"
"""A field that only summaries of anomalies have."""
INTERVAL_S: Final = 60.0
MOST_GROUPINGS: Final = 32
FLEET_BUDGET: Final = 1.0
"""False pages a week over all that is watched without being asked for, where nothing is said."""

_DAY_S: Final = 86_400.0
_FLAP_S: Final = 300.0
_RESOLVE_S: Final = 0.0
_MIN_AFFECTED: Final = 20


def _groupings(value: object) -> object:
    if isinstance(value, str):
        message = "must be a list of lists"
        raise mistake(message, f"write [[], [{value}]]")
    if isinstance(value, list):
        for number, item in enumerate(value):
            if not isinstance(item, list | tuple):
                message = "must be a list of dimensions"
                raise mistake(message, f"write [{item}], and [] for everything", (number,))
    return value


def _distinct(groupings: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    if not groupings:
        message = "names no grouping"
        raise mistake(message, "write [[]] for everything together")
    if len(groupings) > MOST_GROUPINGS:
        message = f"names more than {MOST_GROUPINGS} groupings"
        raise mistake(message)
    for number, names in enumerate(groupings):
        for place, name in enumerate(names):
            if name in names[:place]:
                message = f"'{name}' is named twice"
                raise mistake(message, "", (number, place))
        if any(set(names) == set(other) for other in groupings[:number]):
            message = f"[{', '.join(names)}] is named twice"
            raise mistake(message, "", (number,))
    return groupings


Groupings = Annotated[
    tuple[tuple[Dimension, ...], ...],
    BeforeValidator(_groupings),
    AfterValidator(_distinct),
]
"""``[[], [country], [cdn, country]]``: the nodes at which a deviation may be found."""


class AnomalySettings(Strict):
    """A metric whose normal course is learned.

    The order of the fields matters: a field is checked against those above it.
    """

    name: Name
    metric: MetricKey
    where: dict[Dimension, PatternField] = Field(default_factory=dict)
    by: Groupings | None = None
    budget: Budget = 1.0
    interval_s: Seconds = Field(
        default=INTERVAL_S,
        ge=5,
        le=3600,
        validation_alias="interval",
        serialization_alias="interval",
    )
    min_affected_views: Whole = Field(default=_MIN_AFFECTED, ge=0)
    for_s: Seconds = Field(
        default=0.0, ge=0, le=_DAY_S, validation_alias="for", serialization_alias="for"
    )
    resolve_for_s: Seconds = Field(
        default=_RESOLVE_S,
        ge=0,
        le=_DAY_S,
        validation_alias="resolve_for",
        serialization_alias="resolve_for",
    )
    severity: Annotated[Literal["info", "warning", "error", "critical"], Choice] = "critical"
    flap: FlapSettings = FlapSettings(within=_FLAP_S)  # type: ignore[call-arg] # its alias
    active: HoursSettings | None = None
    expire_after_s: Seconds = Field(
        default=_DAY_S,
        ge=INTERVAL_S,
        le=366 * _DAY_S,
        validation_alias="expire_after",
        serialization_alias="expire_after",
    )
    summary: Text | None = None
    runbook: WebUrl | None = None
    on_edit: Annotated[Literal["keep", "close"], Choice] = "keep"
    enabled: Flag = True

    @field_validator("summary")
    @classmethod
    def _can_be_filled(cls, summary: str | None, info: ValidationInfo) -> str | None:
        if summary:
            groupings = info.data.get("by")
            # Only a dimension that every group has can stand in it.
            common = set.intersection(*map(set, groupings)) if groupings else set()
            check_template(summary, {*common, EXPECTED})
        return summary

    def core_rule(self) -> Rule:
        """Return what to watch as the core takes it."""
        return Rule(
            name=self.name,
            metric=self.metric,
            condition=Anomaly(
                self.budget,
                self.by,
                Severity[self.severity.upper()],
                float(self.min_affected_views),
            ),
            where=tuple(pattern.matcher(name) for name, pattern in self.where.items()),
            by=dimensions_of(self.by),
            window_s=self.interval_s,
            for_s=self.for_s,
            resolve_for_s=self.resolve_for_s,
            expire_after_s=self.expire_after_s,
            summary=self.summary or "",
            runbook=self.runbook or "",
            flap_within_s=self.flap.within_s,
            active=self.active.core_hours() if self.active else None,
            on_edit=OnEdit(self.on_edit),
        )


def dimensions_of(groupings: tuple[tuple[str, ...], ...] | None) -> tuple[str, ...]:
    """Return the dimensions that any grouping names, in their order."""
    return tuple(dict.fromkeys(name for names in groupings or () for name in names))


def everything_watched(settings: Settings) -> tuple[Rule, ...]:
    """Return the rules, and after them what the model watches.

    As written; every percentage with views where nothing is.
    """
    if settings.anomalies is not None:
        written = [one.core_rule() for one in settings.anomalies if one.enabled]
        return (*settings.core_rules(), *_capped(written, settings.fleet_budget))
    budget = settings.fleet_budget or FLEET_BUDGET
    ratios = (one.key for one in settings.catalogue() if metric_class(one) is MetricClass.RATIO)
    return (*settings.core_rules(), *(_automatic(metric, budget) for metric in ratios))


def _capped(rules: Iterable[Rule], fleet_budget: float | None) -> Iterator[Rule]:
    """Return the rules, their budgets cut in proportion where the fleet's is less than all."""
    asked = [(rule, rule.condition) for rule in rules if isinstance(rule.condition, Anomaly)]
    total = sum(condition.budget_per_week for _, condition in asked)
    part = 1.0 if fleet_budget is None else min(1.0, fleet_budget / max(total, fleet_budget))
    for rule, condition in asked:
        budget = condition.budget_per_week * part
        yield replace(rule, condition=replace(condition, budget_per_week=budget))


def everything_written(settings: Settings) -> tuple[Rule, ...]:
    """Return the rules and the anomalies that somebody has written."""
    return tuple(
        rule for rule in everything_watched(settings) if not rule.name.startswith(AUTOMATIC)
    )


def everything_listed(settings: Settings) -> tuple[Rule, ...]:
    """Return what is watched, one for all that is watched without being asked for."""
    every, written = everything_watched(settings), everything_written(settings)
    unasked = [rule for rule in every if rule not in written][:1]
    return (*written, *(replace(rule, name=f"{AUTOMATIC}*", metric="*") for rule in unasked))


def _automatic(metric: str, budget: float) -> Rule:
    """Return the rule of a metric that is watched without being asked for."""
    condition = Anomaly(budget, None, min_affected_views=float(_MIN_AFFECTED), pool=AUTOMATIC)
    return Rule(
        name=f"{AUTOMATIC}{metric}",
        metric=metric,
        condition=condition,
        window_s=INTERVAL_S,
        resolve_for_s=_RESOLVE_S,
        flap_within_s=_FLAP_S,
    )
