"""Rules as people write them, and as the core takes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from playwatch.config.bounds import (
    BoundField,
    TiersField,
    check_resolve,
    check_tiers,
    threshold_of,
)
from playwatch.config.fields import Dimension, Seconds, Strict, Text, Whole, mistake, reading
from playwatch.config.matching import PatternField  # noqa: TC001 - pydantic reads the annotation
from playwatch.config.template import check_template
from playwatch.core.rules import Bound, Rule

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


def web_url(value: str) -> str:
    """Return a URL of the web; anything else is a mistake."""
    try:
        parts = urlsplit(value)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_web = False
    if not is_web or re.search(r"[\s\x00-\x1f]", value):
        message = "is not a URL of the web"
        raise mistake(message, "it starts with https:// or http://")
    return value


Name = Annotated[Text, AfterValidator(_name)]
"""A name: letters, digits, ``-``, ``_`` and ``.``."""


class RuleSettings(Strict):
    """What to watch, when to open an incident and when to resolve it.

    The order of the fields matters: a field is checked against those above it.
    """

    name: Name
    metric: Text
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
    expire_after_s: Seconds = Field(
        default=_DAY_S,
        ge=1,
        le=366 * _DAY_S,
        validation_alias="expire_after",
        serialization_alias="expire_after",
    )
    summary: Text | None = None
    runbook: Annotated[Text, AfterValidator(web_url)] | None = None

    @field_validator("metric")
    @classmethod
    def _is_known(cls, key: str, info: ValidationInfo) -> str:
        known = reading(info)
        if metric := known.catalogue.find(key):
            return metric.key
        if key.replace("-", "_") in known.doubtful:
            return key
        near = known.catalogue.suggest(key)
        message = f"'{key}' is not a known metric"
        raise mistake(message, f"did you mean {near}?" if near else "add it under metrics")

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
        )


def _metric(info: ValidationInfo) -> Metric | None:
    key = info.data.get("metric")
    return reading(info).catalogue.find(key) if key else None
