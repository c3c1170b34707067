"""The rules: what each watches, how it stands, and how far from its bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.config.anomalies import AUTOMATIC
from playwatch.config.quantities import format_duration
from playwatch.core.phases import Phase
from playwatch.core.rules import Anomaly, Threshold
from playwatch.web.documents import matcher_document
from playwatch.web.pages.drawing import sparkline
from playwatch.web.pages.drawn import drawn
from playwatch.web.pages.site import Page
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web
    from markupsafe import Markup

    from playwatch.core.rules import Rule
    from playwatch.runtime.readings import Readings
    from playwatch.runtime.standings import GroupReading, RuleReading
    from playwatch.runtime.trails import Trail
    from playwatch.web.pages.site import Site

GROUPS: Final = 100
"""Groups that the page of a rule shows."""
_SPARKS: Final = 120
_INTERVALS: Final = 60


class RulePages:
    """The list of rules and the groups of each."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the pages to an application."""
        site.get(app, "/rules", self.all)
        site.get(app, "/rules/{name}", self.one)

    async def all(self, request: web.Request) -> Page:
        """Show every rule."""
        del request
        readings = self._readings.of_rules()
        waiting = [one.rule.metric for one in readings if _waits(one)]
        rows = [
            {
                "rule": one.rule,
                "unit": one.unit,
                "state": state_of(one.phases),
                "phases": one.phases,
                "groups": one.groups,
                "nearest": one.nearest,
                "bounds": bounds_of(one.rule),
                "spark": await self._spark(one.rule, one.nearest),
            }
            for one in readings
            if not _waits(one)
        ]
        return Page("rules.html.j2", "Rules", {"rows": rows, "waiting": waiting})

    async def one(self, request: web.Request) -> Page:
        """Show the groups of one rule, the nearest to its bound first."""
        name, text = request.match_info["name"], request.query.get("q", "").strip()
        standing = next((one for one in self._readings.of_rules() if one.rule.name == name), None)
        groups = await self._readings.of_groups(name, GROUPS, text)
        if groups is None or standing is None:
            message = "there is no such rule"
            raise ProblemError(404, message, hint="the configuration may have changed")
        sparks = await self._sparks(standing.rule, groups)
        rows = list(zip(groups, sparks, strict=True))
        return Page("rule.html.j2", name, {**_facts(standing), "rows": rows, "text": text})

    async def _spark(self, rule: Rule, reading: GroupReading | None) -> Markup | str:
        return (await self._sparks(rule, [reading]))[0] if reading else ""

    async def _sparks(self, rule: Rule, readings: Sequence[GroupReading]) -> list[Markup]:
        """Return a small picture of the last minutes of each group."""
        traces = self._readings.traces(rule.name, [one.group for one in readings], _SPARKS)
        limits = limits_of(rule)
        return await drawn(lambda: [sparkline(values, limits) for _, values in traces])


def _of_intervals(trail: Trail) -> Markup:
    """Return the last intervals of a learned group, with what was normal in each."""
    band = list(zip(trail.low, trail.high, strict=True))
    return sparkline(trail.value[-_INTERVALS:], band=band[-_INTERVALS:])


def _waits(standing: RuleReading) -> bool:
    """Return whether it is a rule that nobody wrote, of a metric that nobody has sent."""
    return not standing.groups and standing.rule.name.startswith(AUTOMATIC)


def limits_of(rule: Rule) -> list[float]:
    """Return the limits of a rule's tiers; none where they are learned."""
    condition = rule.condition
    return [tier.limit for tier in condition.tiers] if isinstance(condition, Threshold) else []


def bounds_of(rule: Rule) -> str:
    """Return when a rule opens an incident, in words."""
    condition = rule.condition
    if not isinstance(condition, Threshold):
        return "outside what was learned"
    return ", ".join(
        f"{tier.severity.word} {condition.comparison.value} {tier.limit:g}"
        for tier in condition.tiers
    )


def state_of(phases: dict[Phase, int]) -> str:
    """Return the worst phase of a rule's groups in one word."""
    if phases[Phase.OPEN] + phases[Phase.CLEARING] + phases[Phase.LINGERING]:
        return "open"
    return "pending" if phases[Phase.PENDING] else "quiet"


def _facts(standing: RuleReading) -> dict[str, object]:
    rule = standing.rule
    return {
        "rule": rule,
        "unit": standing.unit,
        "groups": standing.groups,
        "phases": standing.phases,
        "state": state_of(standing.phases),
        "settings": [
            ("metric", rule.metric.replace("_", " ")),
            ("watches", matcher_document(rule.where) or "every series of the metric"),
            *settings_of(rule),
        ],
    }


def settings_of(rule: Rule) -> list[tuple[str, str]]:
    """Return how a rule judges, in words."""
    condition = rule.condition
    if isinstance(condition, Anomaly):
        named = condition.groupings
        looks = "everything, and each single dimension"
        if named is not None:
            looks = "; ".join(" and ".join(names) or "everything" for names in named)
        shared = f", shared with others ({condition.pool})" if condition.pool else ""
        return [
            ("one incident per", looks),
            ("interval", format_duration(rule.window_s)),
            ("opens", f"{bounds_of(rule)}{_held(rule.for_s)}"),
            ("resolves", f"normal again for some intervals{_held(rule.resolve_for_s, ', then ')}"),
            ("views hit", f"at least {condition.min_affected_views:,.0f}"),
            ("budget", f"{condition.budget_per_week:g} false pages a week{shared}"),
        ]
    return [
        ("one incident per", ", ".join(rule.by) or "rule"),
        ("window", format_duration(rule.window_s)),
        ("opens", f"{bounds_of(rule)}{_held(rule.for_s)}"),
        ("resolves", f"{condition.resolve}{_held(rule.resolve_for_s)}"),
        ("views needed", f"{rule.min_views:,}" if rule.min_views else "any"),
    ]


def _held(for_s: float, joint: str = " for ") -> str:
    """Return for how long something has to hold; nothing where a moment is enough."""
    return f"{joint}{format_duration(for_s)}" if for_s else ""
