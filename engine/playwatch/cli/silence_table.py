"""Silences as people read them in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from playwatch.cli.documents import moment
from playwatch.web.documents import matcher_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.silences import Silence


def silence_table(silences: Sequence[Silence], now_at: int) -> None:
    """Print silences, one to a row."""
    console = Console()
    if not silences:
        console.print("No silences.")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("id", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("what", "from (UTC)", "until (UTC)", "author", "comment"):
        table.add_column(name, overflow="fold")
    for silence in silences:
        table.add_row(
            silence.id,
            _state(silence, now_at),
            escape(_what(silence)),
            moment(silence.starts_at),
            moment(silence.ends_at),
            escape(silence.author),
            escape(silence.comment),
        )
    console.print(table)


def _state(silence: Silence, now_at: int) -> str:
    if silence.covers(now_at):
        return "in force"
    return "to come" if now_at < silence.starts_at else "ended"


def _what(silence: Silence) -> str:
    parts = []
    for name, value in matcher_document(silence.matchers).items():
        values = value if isinstance(value, list) else ["(none)" if value is None else value]
        parts.append(f"{name}={','.join(values)}")
    return " ".join(parts)
