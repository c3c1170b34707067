"""What people read in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from playwatch.cli.documents import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.incidents import Incident
    from playwatch.ports import IncidentStory


def incident_table(incidents: Sequence[Incident]) -> None:
    """Print incidents, one to a row."""
    console = Console()
    if not incidents:
        console.print("No incidents.")
        return
    table = Table("id", "status", "severity", "rule", "where", "value", "bound", "started", "ended")
    for incident in incidents:
        table.add_row(
            incident.id,
            incident.status.value,
            incident.severity.word,
            escape(incident.rule),
            escape(_where(incident)),
            f"{incident.measured_value:.4g} {incident.unit}",
            incident.bound,
            moment(incident.started_at),
            moment(incident.resolved_at) or "",
        )
    console.print(table)


def story_tables(story: IncidentStory) -> None:
    """Print one incident and what was sent about it."""
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
        ("started", moment(incident.started_at)),
        ("opened", moment(incident.opened_at)),
        ("resolved", moment(incident.resolved_at) or "not yet"),
        ("runbook", incident.runbook or "none"),
    ):
        facts.add_row(name, escape(str(value)))
    console.print(facts)
    table = Table("delivery", "channel", "status", "at", "outcome", "took", "answer")
    for delivery in story.deliveries:
        attempts = [record for record in story.attempts if record.delivery.id == delivery.id]
        what = f"{delivery.action.value} ({delivery.incident.severity.word})"
        if not attempts:
            table.add_row(what, escape(delivery.channel), delivery.status.value, "", "", "", "")
        for record in attempts:
            table.add_row(
                what,
                escape(delivery.channel),
                delivery.status.value,
                moment(record.at),
                record.outcome,
                f"{record.duration_ms:.0f} ms",
                escape(record.detail),
            )
    console.print(table)


def _where(incident: Incident) -> str:
    return ", ".join(f"{name}={value or '(none)'}" for name, value in incident.breakdowns)
