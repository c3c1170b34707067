"""`playwatch audit`: who changed what, and when."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.core.audit import AuditEntry


def audit(
    subject: Annotated[
        str | None,
        typer.Argument(help="A channel's name, an incident's or a silence's id; all by default."),
    ] = None,
    config: ConfigOption = Path("playwatch.yaml"),
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List who changed what, newest first: channels, silences, incidents, reloads, deliveries."""
    entries = asyncio.run(_entries(config, subject, limit))
    if as_json:
        from playwatch.cli.documents import print_json
        from playwatch.runtime.audit_views import audit_view

        print_json([audit_view(entry) for entry in entries])
        return
    from playwatch.cli.audit_table import audit_table

    audit_table(entries)


async def _entries(config: Path, subject: str | None, limit: int) -> list[AuditEntry]:
    from playwatch.cli.settings import load
    from playwatch.ports import AuditQuery
    from playwatch.store.sqlite import SqliteStore

    settings = load(config, need_secrets=False)
    store = await SqliteStore.open(settings.store.path, read_only=True)
    try:
        return await store.audit(AuditQuery(subject, limit))
    finally:
        await store.close()
