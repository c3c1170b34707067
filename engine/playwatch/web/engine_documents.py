"""Rules, series and the engine itself as our own API writes them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from playwatch.core.rules import AlertType  # noqa: TC001 - msgspec reads it
from playwatch.web.contract import Given, Told
from playwatch.web.incident_documents import SeverityWord, Time  # noqa: TC001 - msgspec reads them

PhaseWord = Literal["normal", "pending", "open", "clearing", "lingering"]
Text = Annotated[str, Meta(max_length=1000)]


class GroupsWanted(Given, frozen=True, kw_only=True):
    """Which groups of a rule."""

    q: Annotated[Text, Meta(description="Those with this in one of their values.")] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    offset: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class GroupDocument(Told, frozen=True, kw_only=True):
    """How one group stands.

    ``margin`` is how far it is from its bound, negative beyond it; the expected
    band is that of a learned rule.
    """

    group: dict[str, str]
    phase: PhaseWord
    value: float | None
    margin: float | None
    expected_low: float | None
    expected_high: float | None
    incident_id: str | None


class TierDocument(Told, frozen=True, kw_only=True):
    """One bound of a threshold."""

    severity: SeverityWord
    bound: float | None


class RuleDocument(Told, frozen=True, kw_only=True):
    """A rule and how its groups stand."""

    name: str
    metric: str
    unit: str
    alert_type: AlertType
    by: tuple[str, ...]
    window_s: float
    for_s: float
    resolve_for_s: float
    min_views: int
    tiers: tuple[TierDocument, ...]
    groups: int
    phases: dict[PhaseWord, int]
    nearest: GroupDocument | None


class ModelDocument(Told, frozen=True, kw_only=True):
    """What is known of one learned rule, and what its pages were against its budget."""

    rule: str
    metric: str
    kind: str
    groupings: tuple[tuple[str, ...], ...]
    groups: int
    judged: int
    learning: int
    few_views: int
    open: int
    since_at: str | None
    judged_at: str | None
    budget_per_week: float | None
    level: float | None
    pages: int
    pages_per_week: float | None
    why_not: str


class MetricDocument(Told, frozen=True, kw_only=True):
    """A metric that has series, and how many values each dimension has."""

    metric: str
    unit: str
    series: int
    dimensions: dict[str, int]
    newest_at: str | None


class SeriesWanted(Given, frozen=True, kw_only=True):
    """Which series."""

    metric: str
    q: Annotated[Text, Meta(description="Those with this in a name or a value.")] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    offset: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class SeriesDocument(Told, frozen=True, kw_only=True):
    """A series with its newest sample."""

    metric: str
    dimensions: dict[str, str]
    at: str | None
    value: float | None
    views: int


class SeriesPage(Told, frozen=True, kw_only=True):
    """Some series, and how many there are in all."""

    series: tuple[SeriesDocument, ...]
    total: int
    limit: int
    offset: int


class HistoryWanted(Given, frozen=True, kw_only=True):
    """Which minutes of which series; without times the last hour."""

    metric: str
    dimension: Annotated[
        tuple[Annotated[str, Meta(pattern="^[^:]+:")], ...],
        Meta(description="name:value of the series; all of them, each once."),
    ] = ()
    begin: Time | None = msgspec.field(default=None, name="from")
    end: Time | None = msgspec.field(default=None, name="to")


class PointDocument(Told, frozen=True, kw_only=True):
    """What a series was in one minute."""

    at: str
    value: float | None
    views: int


class HistoryDocument(Told, frozen=True, kw_only=True):
    """The past of one series, a point for each minute that had samples."""

    metric: str
    dimensions: dict[str, str]
    points: tuple[PointDocument, ...]


class SourceDocument(Told, frozen=True, kw_only=True):
    """Where samples come from."""

    name: str
    subscribed: bool
    trouble: str


class SamplesDocument(Told, frozen=True, kw_only=True):
    """What became of samples since the start."""

    received: int
    rejected: dict[str, int]
    repeated: int
    late: int
    gaps: int
    newest_at: str | None
    lag_s: float | None


class StatusDocument(Told, frozen=True, kw_only=True):
    """How the engine itself is."""

    version: str
    python: str
    libraries: dict[str, str]
    started_at: str
    ready: bool
    complaints: tuple[str, ...]
    sources: tuple[SourceDocument, ...]
    samples: SamplesDocument
    series: int
    incidents_open: int
    channels_away: dict[str, str]
    deliveries_given_up: dict[str, int]
    config_read_at: str | None
    config_is_current: bool
