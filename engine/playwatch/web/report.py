"""The report of a backtest: one HTML file that needs nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from playwatch.config.quantities import format_duration
from playwatch.core.rules import Threshold
from playwatch.web.chart import Band, Chart, Shade
from playwatch.web.charts import embedded, inline_script
from playwatch.web.paper import write

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.core.rules import Rule
    from playwatch.runtime.backtest import Backtest, Outcome
    from playwatch.runtime.backtest_compare import Difference
    from playwatch.runtime.backtest_traces import Traces

    Group = tuple[str, tuple[tuple[str, str], ...]]

CHARTS: Final = 30
"""Groups drawn, those with the most time in incident; the table has all."""
ROWS: Final = 2_000
"""Incidents in the table."""


@dataclass(frozen=True, slots=True)
class _Figure:
    """One chart with the words around it."""

    rule: str
    group: str
    bound: str
    incidents: int
    lasted: str
    place: Markup


def write_report(
    path: Path,
    found: Backtest,
    traces: Traces,
    config: str,
    difference: Difference | None = None,
) -> None:
    """Write a report; a reader never sees half of one.

    Raises
    ------
    ReportError
        If the file cannot be written.
    """
    write(path, render_report(found, traces, config, difference))


def render_report(
    found: Backtest, traces: Traces, config: str, difference: Difference | None = None
) -> str:
    """Return the report as one HTML page.

    Notes
    -----
    Everything that a publisher may have named is escaped by the template; the
    charts hold numbers only. Nothing is loaded from anywhere.
    """
    environment = Environment(
        loader=PackageLoader("playwatch.web"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "clock": _clock,
        "lasted": _lasted,
        "number": _number,
        "place": _place,
        "shift": _shift,
        "rate": _rate,
    }
    groups = _groups(found)
    drawn = sorted(groups, key=lambda group: -_time_in(groups[group], found))[:CHARTS]
    rule_of = {rule.name: rule for rule in found.rules}
    charts = [_chart(found, traces, rule_of[group[0]], group, groups[group]) for group in drawn]
    script, places = embedded(charts)
    figures = [
        _Figure(
            rule=group[0],
            group=_place(group[1]),
            bound=_bound(rule_of[group[0]]),
            incidents=len(groups[group]),
            lasted=_lasted(_time_in(groups[group], found)),
            place=Markup(place),  # noqa: S704 - made by the charts, of numbers only
        )
        for group, place in zip(drawn, places, strict=True)
    ]
    return environment.get_template("report.html.j2").render(
        found=found,
        config=config,
        sums=found.sums(),
        figures=figures,
        groups=len(groups),
        outcomes=found.outcomes[:ROWS],
        difference=difference,
        library=Markup(inline_script()) if figures else "",  # noqa: S704 - bokeh's own
        script=Markup(script),  # noqa: S704 - numbers only
    )


def _groups(found: Backtest) -> dict[Group, list[Outcome]]:
    groups: dict[Group, list[Outcome]] = {}
    for outcome in found.outcomes:
        incident = outcome.incident
        groups.setdefault((incident.rule, incident.breakdowns), []).append(outcome)
    return groups


def _time_in(outcomes: list[Outcome], found: Backtest) -> int:
    return sum(one.end_at(found.until_at) - one.incident.started_at for one in outcomes)


def _chart(
    found: Backtest, traces: Traces, rule: Rule, group: Group, outcomes: list[Outcome]
) -> Chart:
    times, values = traces.points(*group)
    normal = traces.normal(*group)
    band = None
    if normal:
        expected, low, high = zip(*(known for _, known in normal), strict=True)
        band = Band([at for at, _ in normal], low, high, expected)
    condition = rule.condition
    known = condition if isinstance(condition, Threshold) else None
    return Chart(
        times=times,
        values=values,
        from_at=found.from_at,
        until_at=found.until_at,
        bounds=[(tier.limit, tier.severity) for tier in known.tiers] if known else [],
        resolve=known.resolve.limit if known else None,
        shades=[
            Shade(one.incident.started_at, one.end_at(found.until_at), one.incident.severity)
            for one in outcomes
        ],
        band=band,
    )


def _bound(rule: Rule) -> str:
    condition = rule.condition
    if not isinstance(condition, Threshold):
        learned = "outside what was learned; the band is what was normal, dashed what was expected"
        return f"{rule.metric} each {format_duration(rule.window_s)}: {learned}"
    limits = ", ".join(
        f"{tier.severity.word} {condition.comparison.value} {tier.limit:g}"
        for tier in condition.tiers
    )
    return (
        f"{rule.metric} over {format_duration(rule.window_s)}: {limits}"
        f" for {format_duration(rule.for_s)}; resolves at {condition.resolve}"
        f" for {format_duration(rule.resolve_for_s)}"
    )


def _place(breakdowns: tuple[tuple[str, str], ...]) -> str:
    words = ", ".join(f"{name}={value or '(none)'}" for name, value in breakdowns)
    return words or "everything the rule watches"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _lasted(ms: int) -> str:
    return format_duration(round(ms / 1000))


def _shift(ms: int, more: str, less: str) -> str:
    """Return by how much something is otherwise: ``1m later``."""
    return f"{_lasted(abs(ms))} {more if ms > 0 else less}" if ms else "the same"


def _rate(per_week: float | None) -> str:
    return "" if per_week is None else f"{per_week:,.1f}"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else ""
