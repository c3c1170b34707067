"""The audit as people read it in a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from playwatch.runtime.moments import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playwatch.core.audit import AuditEntry


def audit_table(entries: Sequence[AuditEntry]) -> None:
    """Print entries of the audit, one to a row: what has changed, as before → after."""
    console = Console()
    if not entries:
        console.print("Nobody has changed anything.")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("at (UTC)", "who", "what", "of"):
        table.add_column(name, no_wrap=True)
    table.add_column("change", overflow="fold")
    for entry in entries:
        at = (moment(entry.at) or "")[:19].replace("T", " ")
        cells = (at, entry.who, entry.what, entry.subject, _change(entry.before, entry.after))
        table.add_row(*map(escape, cells))
    console.print(table)


def _change(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """Return what became different, what is new, or what there was where nothing is left."""
    if not after:
        return ", ".join(f"{name} {_word(name, value)}" for name, value in before.items())
    words = []
    for name, value in after.items():
        if name not in before:
            words.append(f"{name} {_word(name, value)}")
        elif before[name] != value:
            words.append(f"{name} {_word(name, before[name])} → {_word(name, value)}")
    return ", ".join(words)


def _word(name: str, value: object) -> str:
    """Return a value of the change as people read it: a time as a time."""
    if name.endswith("_at") and isinstance(value, int):
        return f"{(moment(value) or '')[:19]}Z"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
