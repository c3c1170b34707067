"""What people read in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from playwatch.cli.documents import moment
from playwatch.config.quantities import format_duration
from playwatch.core.deliveries import DeliveryStatus
from playwatch.core.explained import explained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.cli.documents import Document
    from playwatch.core.incidents import Incident
    from playwatch.ports import IncidentStory


def incident_table(incidents: Sequence[Incident]) -> None:
    """Print incidents, one to a row."""
    console = Console()
    if not incidents:
        console.print("No incidents.")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("id", "status", "severity", "started (UTC)", "for"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    for incident in incidents:
        table.add_row(
            incident.id,
            incident.status.value,
            incident.severity.word,
            _clock(incident.started_at, "%m-%d %H:%M:%S"),
            _lasted(incident),
            f"{escape(incident.rule)}: {escape(incident.summary)}",
        )
    console.print(table)


def story_tables(story: IncidentStory) -> None:
    """Print one incident, what was decided and what was sent about it."""
    console = Console()
    incident = story.incident
    facts = Table(show_header=False, box=None)
    for name, value in (
        ("incident", incident.id),
        ("rule", incident.rule),
        ("status", f"{incident.status.value} {incident.reason}".strip()),
        ("severity", incident.severity.word),
        ("summary", incident.summary),
        ("where", _where(incident) or "everything the rule watches"),
        ("value", f"{incident.measured_value:.4g} {incident.unit} ({incident.bound})"),
        ("peak", f"{incident.peak_value:.4g} {incident.unit}"),
        ("views", f"{incident.affected_viewers:,} of {incident.sample_size:,} affected"),
        *((name.replace("_", " "), text) for name, text in explained(incident).items()),
        ("started", moment(incident.started_at)),
        ("opened", moment(incident.opened_at)),
        ("resolved", moment(incident.resolved_at) or "not yet"),
        ("corrected", incident.correction or "no"),
        ("runbook", incident.runbook or "none"),
    ):
        facts.add_row(name, escape(str(value)))
    console.print(facts)
    _record(console, story)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("delivery", "channel", "status", "at (UTC)", "outcome", "took", "answer"):
        table.add_column(name, overflow="fold")
    for delivery in story.deliveries:
        attempts = [record for record in story.attempts if record.delivery.id == delivery.id]
        what = f"{delivery.action.value} {delivery.incident.severity.word}"
        for record in attempts:
            table.add_row(
                what,
                escape(delivery.channel),
                delivery.status.value,
                _clock(record.at, "%H:%M:%S"),
                record.outcome,
                f"{record.duration_ms:.0f} ms",
                escape(record.detail),
            )
        if delivery.status is DeliveryStatus.PENDING:
            at = _clock(delivery.not_before_at, "%H:%M:%S") if delivery.not_before_at else "now"
            table.add_row(what, escape(delivery.channel), "pending", at, "next try", "", "")
    console.print(table)


def _record(console: Console, story: IncidentStory) -> None:
    """Print what was decided and what people said, in the order of time."""
    lines = [
        (
            decision.at,
            f"{decision.what} {decision.severity}".strip(),
            "" if decision.value is None else f"{decision.value:.4g}",
            f"{decision.views:,}" if decision.views else "",
            decision.bound,
            decision.reason,
        )
        for decision in story.decisions
    ]
    lines += [
        (one.at, one.kind.value, "", "", "", f"{one.author}: {one.text}".rstrip(": "))
        for one in story.remarks
    ]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("at (UTC)", "decision", "value", "views", "bound", "why"):
        table.add_column(name, overflow="fold")
    for at, *cells in sorted(lines, key=lambda line: line[0]):
        table.add_row(_clock(at, "%m-%d %H:%M:%S"), *(escape(cell) for cell in cells))
    if lines:
        console.print(table)


def delivery_table(deliveries: Sequence[Document]) -> None:
    """Print deliveries that wait or were given up, one to a row, and below them why.

    An id stands in one piece, however narrow the terminal, so that it can be copied.
    """
    console = Console()
    if not deliveries:
        console.print("Nothing waits, and nothing was given up.")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("id", no_wrap=True, overflow="ignore")
    for name in ("status", "attempts", "decided (UTC)", "next try"):
        table.add_column(name, overflow="fold")
    for delivery in deliveries:
        table.add_row(
            escape(delivery["id"]),
            delivery["status"],
            str(delivery["attempts"]),
            delivery["created_at"][11:19],
            (delivery["next_try_at"] or "")[11:19],
        )
    console.print(table)
    for delivery in deliveries:
        if delivery["reason"]:
            console.print(escape(f"{delivery['id']}: {delivery['reason']}"), highlight=False)


def _where(incident: Incident) -> str:
    return ", ".join(f"{name}={value or '(none)'}" for name, value in incident.breakdowns)


def _clock(at: int, form: str) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime(form)


def _lasted(incident: Incident) -> str:
    if incident.resolved_at is None:
        return "open"
    return format_duration(round((incident.resolved_at - incident.started_at) / 1000))
