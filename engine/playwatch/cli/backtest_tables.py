"""What people read of a backtest in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from playwatch.cli.backtest_documents import place, share
from playwatch.cli.documents import moment
from playwatch.config.quantities import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.incidents import Incident
    from playwatch.runtime.backtest import Backtest, Outcome
    from playwatch.runtime.backtest_compare import Difference
    from playwatch.runtime.suggest import Suggestion

SHOWN = 40
"""Incidents shown in a table; `--json` and the report have all of them."""


def backtest_tables(found: Backtest) -> None:
    """Print the sums of each rule, then the incidents."""
    console = Console()
    length = format_duration(round(found.length_ms / 1000))
    first, last = moment(found.from_at), moment(found.until_at)
    console.print(f"{found.samples:,} samples in {length}: {first} to {last}")
    table = _table("rule", "incidents", "groups", "pages", "per week", "in incident", "share")
    for one in found.sums():
        part = share(one.in_incident_ms, found.length_ms)
        table.add_row(
            escape(one.rule),
            f"{one.incidents:,}",
            f"{one.groups:,}",
            f"{one.pages:,}",
            _rate(found.per_week(one.pages)),
            format_duration(round(one.in_incident_ms / 1000)),
            "" if part is None else f"{100 * part:.2f} %",
        )
    console.print(table)
    _incidents(console, found.outcomes, found)


def difference_tables(
    difference: Difference, a: Backtest, b: Backtest, names: tuple[str, str]
) -> None:
    """Print how another rule set would have done."""
    console = Console()
    console.print(
        f"A is {escape(names[0])}, B is {escape(names[1])}: pages per week"
        f" {_rate(a.per_week(a.pages))} in A, {_rate(b.per_week(b.pages))} in B;"
        f" {difference.same} incidents are the same"
    )
    for title, outcomes, found in (
        ("Only in A", difference.only_a, a),
        ("Only in B", difference.only_b, b),
    ):
        if outcomes:
            console.print(f"\n{title}: {len(outcomes)}")
            _incidents(console, outcomes, found)
    if not difference.changed:
        return
    console.print(f"\nOtherwise in B: {len(difference.changed)}")
    table = _table("opened in A", "B opens", "B lasts", "severity", "what")
    for pair in difference.changed[:SHOWN]:
        one, other = pair.a.incident, pair.b.incident
        table.add_row(
            _clock(one.opened_at),
            _shift(pair.later_ms, "later", "earlier"),
            _shift(pair.longer_ms, "longer", "shorter"),
            one.severity.word
            if one.severity is other.severity
            else f"{one.severity.word} -> {other.severity.word}",
            escape(_what(one)),
        )
    console.print(table)


def suggestion_table(suggestion: Suggestion) -> None:
    """Print the trade-off, the best one marked."""
    console = Console()
    table = _table("", "trigger", "resolve", "for", "incidents", "per week", "in incident")
    for trial in suggestion.trials:
        is_best = trial is suggestion.best
        table.add_row(
            "->" if is_best else "",
            str(trial.bound),
            str(trial.resolve),
            format_duration(trial.for_s),
            f"{trial.incidents:,}",
            f"{trial.incidents_per_week:.1f}",
            format_duration(round(trial.in_incident_ms / 1000)),
            style="bold" if is_best else "" if trial.is_within else "dim",
        )
    console.print(table)
    best = suggestion.best
    if best is None:
        console.print(f"Nothing tried keeps to {suggestion.per_week:g} a week.")
        return
    console.print(
        f"For {suggestion.per_week:g} a week, rule {escape(suggestion.rule)}:"
        f' trigger: "{best.bound}", for: {format_duration(best.for_s)},'
        f' resolve: "{best.resolve}"'
    )


def _incidents(console: Console, outcomes: Iterable[Outcome], found: Backtest) -> None:
    outcomes = list(outcomes)
    if not outcomes:
        console.print("No incidents.")
        return
    table = _table("severity", "start (UTC)", "for", "peak", "what", "pages")
    for outcome in outcomes[:SHOWN]:
        incident = outcome.incident
        lasted = format_duration(
            round((outcome.end_at(found.until_at) - incident.started_at) / 1000)
        )
        table.add_row(
            incident.severity.word,
            _clock(incident.started_at),
            lasted if incident.resolved_at is not None else f"{lasted}, open",
            f"{incident.peak_value:.4g} {escape(incident.unit)}",
            escape(_what(incident)),
            ", ".join(f"{escape(name)} {count}" for name, count in outcome.pages.items()),
        )
    console.print(table)
    if len(outcomes) > SHOWN:
        console.print(f"... and {len(outcomes) - SHOWN} more: --json or --html has all of them")


def _what(incident: Incident) -> str:
    return f"{incident.rule} {place(incident)}".rstrip()


def _table(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        is_free = name in {"rule", "what", "pages"}
        table.add_column(name, overflow="fold", no_wrap=not is_free)
    return table


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%m-%d %H:%M:%S")


def _rate(per_week: float | None) -> str:
    return "" if per_week is None else f"{per_week:.1f}"


def _shift(by_ms: int, more: str, less: str) -> str:
    if not by_ms:
        return "the same"
    return f"{format_duration(abs(by_ms) / 1000)} {more if by_ms > 0 else less}"
