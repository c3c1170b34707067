"""What the model watches and what it knows of it, read from a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.config.anomalies import everything_watched
from playwatch.core.learned import LearnedWatch
from playwatch.core.metric_kinds import metric_class
from playwatch.core.phases import Phase
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import AlertType, Anomaly
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import FREE, NEVER, SeriesTable
from playwatch.core.snapshots import restore
from playwatch_models.classes import MetricClass
from playwatch_models.detector import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from playwatch.config.schema import Settings
    from playwatch.core.incidents import Incident

WEEK_MS: Final = 604_800_000
LOOKED_BACK_MS: Final = 4 * WEEK_MS
"""How far back pages are counted."""


@dataclass(frozen=True, slots=True)
class RuleState:
    """What is known of one learned rule.

    Attributes
    ----------
    kind
        The class of its metric.
    groupings
        Where it looks; empty before the first sample where nobody named any.
    groups, judged, learning, few_views
        How many groups there are; how many are judged, are still being learned,
        and have too few views for any outcome to be evidence.
    open
        Groups with an open incident.
    since_at, judged_at
        First and newest interval; None before the first.
    level
        Powers of ten of rarity that open an incident.
    pages
        Openings that people were told of, in the last four weeks or since it
        began; ``pages_per_week`` as a rate, None while that says nothing.
    why_not
        Why something of it is not watched; empty when all is.
    """

    rule: str
    metric: str
    kind: str
    groupings: tuple[tuple[str, ...], ...]
    groups: int
    judged: int
    learning: int
    few_views: int
    open: int
    since_at: int | None
    judged_at: int | None
    budget_per_week: float
    level: float
    pages: int
    pages_per_week: float | None
    why_not: str


@dataclass(frozen=True, slots=True)
class GroupState:
    """What is known of one group.

    Attributes
    ----------
    decades
        How rare its newest interval is by chance, powers of ten.
    state
        ``open``, ``learning``, ``too few views``, ``unit changed?`` or ``normal``.
    """

    breakdowns: tuple[tuple[str, str], ...]
    value: float
    views: float
    expected: float
    low: float
    high: float
    decades: float
    intervals: int
    judged_at: int | None
    state: str


def restored(
    settings: Settings, saved: tuple[Mapping[str, bytes], int] | None
) -> tuple[Pipeline, list[str]]:
    """Return the rules as a snapshot left them, and what could not be read."""
    catalogue, series = settings.catalogue(), SeriesTable(settings.limits.series_per_metric)
    pipeline = Pipeline(catalogue, series, everything_watched(settings), [], "model")
    if saved is None:
        return pipeline, []
    parts, taken_at = saved
    now = Instant(taken_at, 0)
    refused = restore(dict(parts), taken_at, pipeline, SequenceTracker(), catalogue, now)
    return pipeline, refused


def rule_states(pipeline: Pipeline, incidents: Iterable[Incident], now_at: int) -> list[RuleState]:
    """Return what is known of each learned rule, in the order of the configuration.

    Parameters
    ----------
    incidents
        The newest ones of the store.
    """
    recent = [
        one
        for one in incidents
        if one.alert_type is AlertType.ANOMALY
        and not one.related_to
        and one.opened_at >= now_at - LOOKED_BACK_MS
    ]
    return [_rule_state(watch, recent, now_at) for watch in learned_of(pipeline)]


def group_states(watch: LearnedWatch) -> list[GroupState]:
    """Return what is known of each group, the rarest first."""
    facts, rows = watch.facts, watch.groups.live
    order = rows[np.argsort(-facts.rarity[rows], kind="stable")].tolist()
    return [
        GroupState(
            breakdowns=watch.groups.breakdowns(row),
            value=float(facts.value[row]),
            views=float(facts.views[row]),
            expected=float(facts.expected[row]),
            low=float(facts.low[row]),
            high=float(facts.high[row]),
            decades=float(facts.rarity[row]),
            intervals=int(facts.intervals[row]),
            judged_at=_known(int(facts.judged_at[row])),
            state=_state(watch, row),
        )
        for row in order
    ]


def unwatched(settings: Settings, pipeline: Pipeline) -> list[tuple[str, str]]:
    """Return the metrics that samples came of and no model watches, and why."""
    watched = {watch.metric_id for watch in learned_of(pipeline)}
    heard = set(pipeline.series.metric[: len(pipeline.series)].tolist()) - {FREE}
    catalogue = settings.catalogue()
    return [
        (catalogue[number].key, _why_unwatched(settings, catalogue[number].key))
        for number in sorted(heard)
        if number not in watched
    ]


def learned_of(pipeline: Pipeline) -> Iterator[LearnedWatch]:
    """Iterate over the learned rules at work."""
    for watch in pipeline.watches:
        if isinstance(watch, LearnedWatch):
            yield watch


def _why_unwatched(settings: Settings, key: str) -> str:
    if settings.anomalies is not None:
        off = [one.name for one in settings.anomalies if one.metric == key and not one.enabled]
        return f"{off[0]} is not enabled" if off else "no entry of anomalies names it"
    metric = settings.catalogue().find(key)
    if metric is not None and metric_class(metric) is not MetricClass.RATIO:
        return "not a percentage with views: name it under anomalies"
    return "nothing watches it"


def _rule_state(watch: LearnedWatch, recent: Sequence[Incident], now_at: int) -> RuleState:
    facts, rows, condition = watch.facts, watch.groups.live, watch.condition
    count = len(rows)
    assert isinstance(condition, Anomaly)  # noqa: S101 - what a learned watch has
    evidence = facts.evidence[rows]
    is_heard = facts.intervals[rows] > 0
    learning = int(((evidence == Evidence.LEARNING) | ~is_heard).sum())
    few_views = int(((evidence == Evidence.FEW_VIEWS) & is_heard).sum())
    in_another_unit = int((evidence == Evidence.OTHER_UNIT).sum())
    first = facts.first_at[rows]
    since_at = _known(int(first[is_heard].min(initial=np.iinfo(np.int64).max)))
    pages = sum(one.rule == watch.rule.name for one in recent)
    length_ms = min(LOOKED_BACK_MS, now_at - since_at) if since_at is not None else 0
    return RuleState(
        rule=watch.rule.name,
        metric=watch.metric.key,
        kind=watch.kind.value,
        groupings=tuple(watch.groups.groupings) if count else (),
        groups=count,
        judged=count - learning - few_views - in_another_unit,
        learning=learning,
        few_views=few_views,
        open=len(watch.open) or int((watch.phases.phase[rows] >= Phase.OPEN).sum()),
        since_at=since_at,
        judged_at=_known(int(facts.judged_at[rows].max(initial=NEVER))),
        budget_per_week=condition.budget_per_week,
        level=watch.level,
        pages=pages,
        pages_per_week=pages * WEEK_MS / length_ms if length_ms >= WEEK_MS // 7 else None,
        why_not=_why_not(watch, count, learning, few_views, in_another_unit),
    )


def _why_not(
    watch: LearnedWatch, count: int, learning: int, few_views: int, in_another_unit: int
) -> str:
    if not count:
        return "no sample yet"
    said = []
    if learning:
        said.append(f"{learning:,} of {count:,} groups are still being learned")
    if few_views:
        said.append(f"{few_views:,} have too few views for any outcome to be evidence")
    if in_another_unit:
        said.append(f"{in_another_unit:,} may have changed their unit, such as s to ms")
    beyond = sum(watch.groups.left_out.values())
    if beyond:
        said.append(f"{beyond:,} more found no room and are watched in wider groups")
    return "; ".join(said)


def _state(watch: LearnedWatch, row: int) -> str:
    if watch.phases.is_open(row):
        return "open"
    evidence = Evidence(watch.facts.evidence[row])
    if evidence is Evidence.LEARNING or not watch.facts.intervals[row]:
        return "learning"
    if evidence is Evidence.OTHER_UNIT:
        return "unit changed?"
    return "too few views" if evidence is Evidence.FEW_VIEWS else "normal"


def _known(at: int) -> int | None:
    return None if at in {NEVER, np.iinfo(np.int64).max} else at
