"""Routes as a table in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.config.routes import Listener


def route_table(listeners: Sequence[Listener]) -> None:
    """Print each rule with each channel, and why one would not be told."""
    console = Console(soft_wrap=True)
    if not listeners:
        console.print("No channels.")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rule", "alert type", "channel", "service", "told", "kept out by"):
        table.add_column(name, no_wrap=True)
    for listener in listeners:
        table.add_row(
            escape(listener.rule),
            listener.alert_type,
            escape(listener.channel),
            listener.service,
            "yes" if listener.is_told else "no",
            listener.reason,
        )
    console.print(table)
