"""The API for rules: what each watches, and how near its groups are to their bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from playwatch.core.rules import Threshold
from playwatch.web.contract import answer, asked_of
from playwatch.web.engine_documents import (
    GroupDocument,
    GroupsWanted,
    PhaseWord,
    RuleDocument,
    TierDocument,
)
from playwatch.web.incident_documents import severity_word
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.core.phases import Phase
    from playwatch.runtime.readings import Readings
    from playwatch.runtime.standings import GroupReading, RuleReading


class RuleApi:
    """The handlers under ``/api/v1/rules``."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("/api/v1/rules", self.all)
        app.router.add_get("/api/v1/rules/{name}/groups", self.groups)

    async def all(self, _request: web.Request) -> web.StreamResponse:
        """Answer with every rule, in the order of the configuration."""
        return answer([_rule(one) for one in self._readings.of_rules()])

    async def groups(self, request: web.Request) -> web.StreamResponse:
        """Answer with the groups of a rule, the nearest to its bound first."""
        asked = asked_of(request, GroupsWanted)
        name = request.match_info["name"]
        found = await self._readings.of_groups(name, asked.limit, asked.q, asked.offset)
        if found is None:
            message = "there is no such rule"
            raise ProblemError(404, message)
        return answer([_group(one) for one in found])


def _rule(reading: RuleReading) -> RuleDocument:
    rule = reading.rule
    tiers = rule.condition.tiers if isinstance(rule.condition, Threshold) else ()
    return RuleDocument(
        name=rule.name,
        metric=rule.metric,
        unit=reading.unit,
        alert_type=rule.alert_type,
        by=rule.by,
        window_s=rule.window_s,
        for_s=rule.for_s,
        resolve_for_s=rule.resolve_for_s,
        min_views=rule.min_views,
        tiers=tuple(
            TierDocument(severity=severity_word(one.severity), bound=one.limit) for one in tiers
        ),
        groups=reading.groups,
        phases={_word(phase): count for phase, count in reading.phases.items()},
        nearest=None if reading.nearest is None else _group(reading.nearest),
    )


def _group(reading: GroupReading) -> GroupDocument:
    return GroupDocument(
        group=dict(reading.group),
        phase=_word(reading.phase),
        value=reading.value,
        margin=reading.margin,
        expected_low=reading.low,
        expected_high=reading.high,
        incident_id=None if reading.incident is None else reading.incident.id,
    )


def _word(phase: Phase) -> PhaseWord:
    return cast("PhaseWord", phase.name.lower())
