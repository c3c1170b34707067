"""Rules as people write them, and as the core takes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from playwatch.config.bounds import (
    BoundField,
    TiersField,
    check_resolve,
    check_tiers,
    threshold_of,
)
from playwatch.config.fields import (
    Choice,
    Dimension,
    Flag,
    Number,
    Seconds,
    Strict,
    Text,
    Whole,
    mistake,
    reading,
)
from playwatch.config.hours import HoursSettings  # noqa: TC001 - pydantic reads the annotation
from playwatch.config.links import WebUrl  # noqa: TC001 - the same
from playwatch.config.matching import PatternField  # noqa: TC001 - the same
from playwatch.config.no_data import NoDataField, NoDataSettings
from playwatch.config.quantities import format_duration
from playwatch.config.template import check_template
from playwatch.core.metrics import Merge
from playwatch.core.rules import Aggregate, Bound, OnEdit, Rule

if TYPE_CHECKING:
    from playwatch.core.metrics import Metric

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_DAY_S: Final = 86_400.0
_HOLD_LIMIT_S: Final = 7 * _DAY_S


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        message = f"'{value}' is not a name"
        raise mistake(message, "up to 100 letters, digits, '-', '_' and '.'")
    return value


def _names(value: object) -> object:
    if isinstance(value, str):
        message = "must be a list"
        raise mistake(message, f"write [{value}]")
    return value


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"'{name}' is named twice"
            raise mistake(message, "", (number,))
    return names


def _known_metric(key: str, info: ValidationInfo) -> str:
    known = reading(info)
    if metric := known.catalogue.find(key):
        return metric.key
    if key.replace("-", "_") in known.doubtful:
        return key
    near = known.catalogue.suggest(key)
    message = f"'{key}' is not a known metric"
    raise mistake(message, f"did you mean {near}?" if near else "add it under metrics")


Name = Annotated[Text, AfterValidator(_name)]
"""A name: letters, digits, ``-``, ``_`` and ``.``."""
MetricKey = Annotated[Text, AfterValidator(_known_metric)]
"""The key of a metric in the catalogue, ``-`` read as ``_``."""


class FlapSettings(Strict):
    """How a run of flapping stays one incident."""

    within_s: Seconds = Field(
        ge=1, le=_DAY_S, validation_alias="within", serialization_alias="within"
    )


class RuleSettings(Strict):
    """What to watch, when to open an incident and when to resolve it.

    The order of the fields matters: a field is checked against those above it.
    """

    name: Name
    metric: MetricKey
    where: dict[Dimension, PatternField] = Field(default_factory=dict)
    by: Annotated[
        tuple[Dimension, ...],
        BeforeValidator(_names),
        AfterValidator(_unique),
    ] = ()
    window_s: Seconds = Field(
        default=60.0,
        ge=1,
        le=3600,
        validation_alias="window",
        serialization_alias="window",
    )
    aggregate: Annotated[Literal["mean", "sum", "min", "max", "last"], Choice] | None = None
    trigger: TiersField
    for_s: Seconds = Field(
        default=0.0, ge=0, le=_HOLD_LIMIT_S, validation_alias="for", serialization_alias="for"
    )
    resolve: BoundField | None = None
    resolve_for_s: Seconds | None = Field(
        default=None,
        validation_alias="resolve_for",
        serialization_alias="resolve_for",
    )
    min_views: Whole = Field(default=0, ge=0)
    confidence: Number | None = Field(default=None, ge=0.5, lt=1)
    no_data: NoDataField = NoDataSettings()
    flap: FlapSettings | None = None
    active: HoursSettings | None = None
    expire_after_s: Seconds = Field(
        default=_DAY_S,
        ge=1,
        le=366 * _DAY_S,
        validation_alias="expire_after",
        serialization_alias="expire_after",
    )
    summary: Text | None = None
    runbook: WebUrl | None = None
    repage_on_rise: Flag = False
    on_edit: Annotated[Literal["keep", "close"], Choice] = "keep"

    @field_validator("aggregate")
    @classmethod
    def _adds_up(cls, aggregate: str | None, info: ValidationInfo) -> str | None:
        metric = _metric(info)
        if aggregate == Aggregate.SUM.value and metric and metric.merge is not Merge.SUM:
            message = f"samples of {metric.key} cannot be added up"
            own = metric.aggregate.value
            raise mistake(message, f"leave it out for {own}, or write mean, min, max or last")
        return aggregate

    @field_validator("trigger")
    @classmethod
    def _tiers_agree(cls, tiers: dict[str, Bound], info: ValidationInfo) -> dict[str, Bound]:
        check_tiers(tiers, _metric(info))
        return tiers

    @field_validator("resolve")
    @classmethod
    def _is_recovery(cls, resolve: Bound | None, info: ValidationInfo) -> Bound | None:
        if resolve and "trigger" in info.data:
            check_resolve(resolve, info.data["trigger"], _metric(info))
        return resolve

    @field_validator("resolve_for_s")
    @classmethod
    def _is_short(cls, seconds: float | None) -> float | None:
        if seconds is not None and seconds > _HOLD_LIMIT_S:
            message = "must be at most 7d"
            raise mistake(message)
        return seconds

    @field_validator("confidence")
    @classmethod
    def _is_proportion(cls, confidence: float | None, info: ValidationInfo) -> float | None:
        metric = _metric(info)
        if confidence is None or metric is None:
            return confidence
        if not metric.is_proportion:
            message = f"{metric.key} is not a share of views: no interval is known for it"
            raise mistake(message, "leave it out and write min_views")
        if info.data.get("aggregate") not in {None, Aggregate.MEAN.value}:
            message = f"works on the mean of the window, not on {info.data['aggregate']}"
            raise mistake(message, "leave out confidence or aggregate")
        return confidence

    @field_validator("no_data")
    @classmethod
    def _is_silence(cls, no_data: NoDataSettings, info: ValidationInfo) -> NoDataSettings:
        window_s = info.data.get("window_s")
        if no_data.after_s is not None and window_s and no_data.after_s < window_s:
            window = format_duration(window_s)
            message = f"after {format_duration(no_data.after_s)} the window still holds data"
            raise mistake(message, f"write {window} or more, or a shorter window", ("after",))
        return no_data

    @field_validator("summary")
    @classmethod
    def _can_be_filled(cls, summary: str | None, info: ValidationInfo) -> str | None:
        if summary:
            check_template(summary, info.data.get("by"))
        return summary

    def core_rule(self) -> Rule:
        """Return the rule as the core takes it."""
        return Rule(
            name=self.name,
            metric=self.metric,
            condition=threshold_of(dict(self.trigger.items()), self.resolve),
            where=tuple(pattern.matcher(name) for name, pattern in self.where.items()),
            by=self.by,
            window_s=self.window_s,
            for_s=self.for_s,
            resolve_for_s=self.for_s if self.resolve_for_s is None else self.resolve_for_s,
            min_views=self.min_views,
            expire_after_s=self.expire_after_s,
            summary=self.summary or "",
            runbook=self.runbook or "",
            aggregate=Aggregate(self.aggregate) if self.aggregate else None,
            confidence=self.confidence or 0.0,
            no_data=self.no_data.core_no_data(self.window_s),
            flap_within_s=self.flap.within_s if self.flap else 0.0,
            active=self.active.core_hours() if self.active else None,
            on_edit=OnEdit(self.on_edit),
            repage_on_rise=self.repage_on_rise,
        )


def _metric(info: ValidationInfo) -> Metric | None:
    key = info.data.get("metric")
    return reading(info).catalogue.find(key) if key else None
