"""Channels as people read them in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.cli.documents import Document


def print_channels(channels: Sequence[Document]) -> None:
    """Print channels, one to a row, and below them what they take and how they are."""
    console = Console()
    if not channels:
        console.print("No channels.")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("name", "service", "from", "state", "alert types", "key", "fingerprint"):
        table.add_column(name, no_wrap=True)
    for channel in channels:
        table.add_row(
            escape(channel["name"]),
            escape(channel["service"]),
            "file" if channel["origin"] == "configuration" else "run time",
            channel["state"],
            *(escape(str(channel[name])) for name in ("alert_types", "key", "fingerprint")),
        )
    console.print(table)
    for channel in channels:
        if narrowed := _narrowed(channel):
            console.print(escape(f"{channel['name']}: {narrowed}"), highlight=False)
        if channel["complaint"]:
            console.print(escape(f"{channel['name']}: {channel['complaint']}"), highlight=False)


def _narrowed(channel: Document) -> str:
    """Return the filters that take less than everything, and what is told otherwise."""
    parts = []
    if channel["min_severity"] != "info":
        parts.append(f"from {channel['min_severity']}")
    parts += [f"{name} {_listed(channel[name])}" for name in ("rules", "metrics") if channel[name]]
    parts += [f"{name}={_listed(value)}" for name, value in (channel["where"] or {}).items()]
    parts += [f"{own} as {sent}" for own, sent in (channel["severity_map"] or {}).items()]
    if not channel["send_resolved"]:
        parts.append("no resolves")
    return ", ".join(parts)


def _listed(value: object) -> str:
    if value is None:
        return "(none)"
    return "|".join(map(str, value)) if isinstance(value, list) else str(value)
