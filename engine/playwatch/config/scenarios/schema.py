"""What may stand in a file of rule tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from playwatch.config.anomalies import AnomalySettings  # noqa: TC001 - pydantic reads it
from playwatch.config.bounds import SeverityWord  # noqa: TC001 - pydantic reads it
from playwatch.config.fields import (
    Choice,
    Dimension,
    FilePath,
    Number,
    Seconds,
    Strict,
    Text,
    Whole,
    mistake,
    reading,
)
from playwatch.config.matching import PatternField  # noqa: TC001 - pydantic reads it
from playwatch.config.measures import MetricSettings  # noqa: TC001 - pydantic reads it
from playwatch.config.mute import MuteSettings  # noqa: TC001 - pydantic reads it
from playwatch.config.rules import Name, RuleSettings  # noqa: TC001 - the same
from playwatch.config.scenarios.notation import NotationError, expand, parse_series
from playwatch.config.schema import ChannelSettings  # noqa: TC001 - pydantic reads it

_MONDAY_MS: Final = 1_704_067_200_000
"""2024-01-01T00:00:00Z: where time begins when a test does not say."""
_YEARS: Final = range(1971, 2200)
_DAY_S: Final = 86_400.0
_LONGEST_S: Final = 366 * _DAY_S
_MAX_AGE_S: Final = 3600.0
_MAX_VIEWS: Final = 10**12

Values = np.ndarray[tuple[int], np.dtype[np.float64]]
"""One value per interval; NaN where there is no sample."""

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A metric's key with sorted dimensions."""


def _series(value: object, info: ValidationInfo) -> Series:
    if not isinstance(value, str):
        message = "must be a text"
        raise mistake(message, 'write metric{cdn="fastly"} in single quotes')
    try:
        key, dimensions = parse_series(value)
    except NotationError as error:
        raise mistake(str(error), error.hint) from None
    known = reading(info)
    metric = known.catalogue.find(key)
    if metric is None and key.replace("-", "_") not in known.doubtful:
        near = known.catalogue.suggest(key)
        message = f"'{key}' is not a known metric"
        raise mistake(message, f"did you mean {near}?" if near else "add it under metrics")
    return (metric.key if metric else key), tuple(sorted(dimensions.items()))


def _values(value: object) -> Values:
    if not isinstance(value, str):
        message = "must be a text"
        raise mistake(message, "write '1x9 8x9 _x3'")
    try:
        return expand(value)
    except NotationError as error:
        raise mistake(str(error), error.hint) from None


def _start(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = f"'{value}' is not a time with its zone"
        raise mistake(message, "write 2026-03-29T00:00:00Z or 2026-03-29T01:00:00+01:00")
    if moment.year not in _YEARS:
        message = f"{moment.year} is not a year of video"
        raise mistake(message, f"{_YEARS[0]} to {_YEARS[-1]}")
    return round((moment - datetime.fromtimestamp(0, UTC)).total_seconds() * 1000)


def _whole_seconds(seconds: float) -> float:
    if seconds != round(seconds):
        message = "must be whole seconds"
        raise mistake(message)
    return seconds


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _closed(value: object) -> object:
    return "closed" if value == "resolved" else str(value) if isinstance(value, str) else value


SeriesField = Annotated[Series, PlainValidator(_series), WithJsonSchema({"type": "string"})]
ValuesField = Annotated[
    Values, PlainValidator(_values), WithJsonSchema({"type": ["string", "number"]})
]
StartField = Annotated[int, BeforeValidator(_start), WithJsonSchema({"type": "string"})]
"""A wall time in RFC 3339, as milliseconds since the epoch."""
Interval = Annotated[Seconds, Field(ge=0.001, le=_DAY_S)]
Offset = Annotated[Seconds, Field(ge=0, le=_LONGEST_S)]
"""Time since the start of the test, seconds."""
Moment = Annotated[Offset, AfterValidator(_whole_seconds)]
"""The same, between two samples or with them."""
Status = Annotated[Literal["open", "closed", "expired"], BeforeValidator(_closed), Choice]
Breakdowns = dict[Dimension, str]


class InputSeries(Strict):
    """One series: what is measured each interval, and when it arrives.

    The order of the fields matters: a field is checked against those above it.

    Attributes
    ----------
    views
        Views beside values, in the same notation; one alone stands for all.
    delay_s
        How long after its measurement each sample arrives.
    """

    series: SeriesField
    values: ValuesField
    views: ValuesField = Field(default_factory=lambda: np.ones(1))
    delay_s: Annotated[Seconds, Field(ge=0, le=_MAX_AGE_S)] = Field(
        default=0.0, validation_alias="delay", serialization_alias="delay"
    )

    @field_validator("values")
    @classmethod
    def _in_range(cls, values: Values, info: ValidationInfo) -> Values:
        if not len(values):
            message = "holds no value"
            raise mistake(message, "write '1x9 8x9 _x3'")
        metric = reading(info).catalogue.find(info.data["series"][0]) if info.data else None
        if metric:
            for value in values[(values < metric.low) | (values > metric.high)][:1]:
                message = f"{value:g} is no {metric.key}: that is {metric.low:g} to {metric.high:g}"
                raise mistake(message, "such a sample would be refused")
        return values

    @field_validator("views")
    @classmethod
    def _are_views(cls, views: Values, info: ValidationInfo) -> Values:
        values = info.data.get("values")
        if values is not None and len(views) not in {1, len(values)}:
            message = f"{len(views)} views beside {len(values)} values"
            raise mistake(message, "1x4 is five values; one alone stands for all")
        for count in views:
            if not np.isnan(count) and not (0 <= count <= _MAX_VIEWS and count == round(count)):
                message = f"{count:g} is no number of views"
                raise mistake(message)
        if values is not None and (np.isnan(views) & ~np.isnan(values)).any():
            message = "a value has no views beside it"
            raise mistake(message)
        return views


class ExpectedIncident(Strict):
    """An incident that should be there. Only what is written is compared.

    Attributes
    ----------
    dimensions, labels
        The group; `labels` is promtool's word for it. Compared as a whole.
    started, opened, resolved, ended
        Times since the start of the test.
    """

    dimensions: Breakdowns | None = None
    labels: Breakdowns | None = None
    status: Status = "open"
    severity: SeverityWord | None = None
    value: Number | None = None
    peak: Number | None = None
    bound: Text | None = None
    views: Whole | None = None
    affected: Whole | None = None
    flaps: Whole | None = None
    started: Offset | None = None
    opened: Offset | None = None
    resolved: Offset | None = None
    ended: Offset | None = None
    summary: Text | None = None
    reason: Text | None = None

    @field_validator("labels")
    @classmethod
    def _is_the_only(cls, labels: Breakdowns | None, info: ValidationInfo) -> Breakdowns | None:
        if labels is not None and info.data.get("dimensions") is not None:
            message = "dimensions and labels are the same thing"
            raise mistake(message, "leave one of them out")
        return labels

    @property
    def group(self) -> Breakdowns | None:
        """The dimensions, by whichever name they were given; None when they were not."""
        return self.labels if self.dimensions is None else self.dimensions


class ExpectedPage(Strict):
    """A message that a channel should be asked to send. Only what is written is compared."""

    channel: Text
    action: Annotated[Literal["trigger", "resolve"], Choice] = "trigger"
    rule: Text | None = None
    dimensions: Breakdowns | None = None
    severity: SeverityWord | None = None
    at: Offset | None = None


class RuleTest(Strict):
    """Which incidents of a rule there should be at a time.

    Open ones are compared exactly. Ended ones are compared as soon as one is
    listed, and then exactly too.
    """

    eval_time: Offset
    rule: Text
    exp_incidents: tuple[ExpectedIncident, ...] = ()


class Edit(Strict):
    """A change of the rules while the engine runs.

    Attributes
    ----------
    rules
        Each takes the place of the rule of its name, or is new.
    remove
        Names of rules that go.
    """

    at: Moment
    rules: tuple[RuleSettings, ...] = ()
    remove: tuple[Name, ...] = ()


class SilenceSettings(Strict):
    """A silence that somebody adds: no triggers for what it matches, evaluation goes on.

    ``where`` is over dimensions and ``rule``, ``metric``, ``alert_type``, ``severity``.
    """

    where: dict[Dimension, PatternField] = Field(default_factory=dict)
    begin: Offset = Field(validation_alias="from", serialization_alias="from")
    until: Offset


class Scenario(Strict):
    """One test: series that come in, and what should follow from them."""

    name: Text
    interval: Interval | None = None
    start: StartField | None = None
    until: Offset | None = None
    input_series: tuple[InputSeries, ...] = ()
    silences: tuple[SilenceSettings, ...] = ()
    edits: tuple[Edit, ...] = ()
    restart_at: Annotated[tuple[Moment, ...], BeforeValidator(_listed)] = ()
    alert_rule_test: tuple[RuleTest, ...] = ()
    exp_pages: tuple[ExpectedPage, ...] | None = None


class ScenarioFile(Strict):
    """A file of rule tests: the rules, how time runs, and the tests."""

    config: FilePath | None = None
    rule_files: tuple[Text, ...] = ()
    metrics: tuple[MetricSettings, ...] = ()
    rules: tuple[RuleSettings, ...] = ()
    anomalies: tuple[AnomalySettings, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()
    mute: tuple[MuteSettings, ...] = ()
    interval: Interval = 60.0
    start: StartField = _MONDAY_MS
    tests: tuple[Scenario, ...]
