"""What the model knows, as tables in a terminal."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from playwatch.core.anomaly import once_in_weeks
from playwatch.core.summary import band, quantity, rarity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from playwatch.runtime.model_states import GroupState, RuleState
    from playwatch.runtime.train import Training

_LISTED: Final = 20


def rule_table(states: Iterable[RuleState], silent: int, others: Sequence[tuple[str, str]]) -> None:
    """Print what is watched, and what is not.

    Parameters
    ----------
    silent
        How many more would be watched as soon as samples come.
    others
        Metrics that nothing watches, and why.
    """
    console = Console(soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rule", "class", "by", "groups", "since (UTC)", "open", "pages", "budget", "not"):
        table.add_column(name, overflow="fold")
    for one in states:
        by = ", ".join("+".join(names) or "all" for names in one.groupings)
        table.add_row(
            escape(one.rule),
            one.kind,
            escape(by),
            f"{one.groups:,}",
            _clock(one.since_at),
            f"{one.open:,}",
            _pages(one),
            f"{one.budget_per_week:g}/week",
            escape(one.why_not),
        )
    console.print(table)
    if silent:
        console.print(f"{silent} more percentages are watched as soon as samples come.")
    for metric, why in others:
        console.print(f"not watched: {escape(metric)}: {escape(why)}")


def group_table(states: Sequence[GroupState], count: int, unit: str, interval_s: float) -> None:
    """Print what is known of some groups.

    Parameters
    ----------
    count
        How many there are in all.
    """
    console = Console(soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("group", "now", "normal", "views", "by chance", "intervals", "state"):
        table.add_column(name, overflow="fold")
    for one in states:
        where = ", ".join(f"{name}={value}" for name, value in one.breakdowns)
        is_known = math.isfinite(one.low) and math.isfinite(one.high)
        table.add_row(
            escape(where) or "everything",
            quantity(one.value, unit) if math.isfinite(one.value) else "",
            band(one.low, one.high, unit) if is_known else "not known yet",
            f"{one.views:,.0f}" if math.isfinite(one.views) else "",
            rarity(once_in_weeks(one.decades, interval_s)) if one.decades else "",
            f"{one.intervals:,}",
            one.state,
        )
    console.print(table)
    if count > len(states):
        console.print(f"{count - len(states):,} more; --limit shows them.")


def _pages(state: RuleState) -> str:
    if state.pages_per_week is None:
        return f"{state.pages:,}"
    return f"{state.pages:,}, {state.pages_per_week:.1f} a week"


def _clock(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def lesson_table(training: Training) -> None:
    """Print what was learned, and what it would have paged beside what was."""
    console = Console(soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rule", "groups", "judged", "intervals", "would page", "did page"):
        table.add_column(name, overflow="fold")
    for one in training.lessons:
        table.add_row(
            escape(one.rule),
            f"{one.groups:,}",
            f"{one.judged:,}",
            f"{one.intervals:,}",
            f"{len(one.would_page):,}",
            f"{len(one.did_page):,}",
        )
    console.print(table)
    since, until = _clock(training.compared_at), _clock(training.until_at)
    console.print(f"Pages are those from {since} to {until} UTC, the last quarter.")
    for one in training.lessons:
        for words, incidents in (("would page", one.would_page), ("did page", one.did_page)):
            for incident in incidents[:_LISTED]:
                what = f"{words}: {_clock(incident.opened_at)} {incident.rule}: {incident.summary}"
                console.print(escape(what))
