"""`playwatch model`: what the model watches, what it has learned, and what it costs."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.incidents import Incident
    from playwatch.core.pipeline import Pipeline
    from playwatch.runtime.model_states import GroupState, RuleState

app = typer.Typer(help="Look at what the model has learned.", no_args_is_help=True)

_INCIDENTS = 10_000


@app.callback()
def _group() -> None:
    """Look at what the model has learned."""


@app.command("list")
def list_(config: ConfigOption = Path("playwatch.yaml"), as_json: JsonOption = False) -> None:
    """List what is watched, since when, and pages against the budget; and what is not, and why.

    Reads the newest snapshot, half a minute old at most while an engine runs.
    """
    from playwatch.cli.settings import load
    from playwatch.runtime.clock import SystemClock
    from playwatch.runtime.model_states import rule_states, unwatched

    settings = load(config, need_secrets=False)
    pipeline, incidents = _state(config)
    states = rule_states(pipeline, incidents, SystemClock().wall_ms())
    heard = [state for state in states if state.groups or not state.rule.startswith("anomaly/")]
    others = unwatched(settings, pipeline)
    if as_json:
        from playwatch.cli.documents import print_json

        unwatched_ones = [{"metric": metric, "why": why} for metric, why in others]
        print_json({"watched": [_document(one) for one in states], "unwatched": unwatched_ones})
        return
    from playwatch.cli.model_tables import rule_table

    rule_table(heard, len(states) - len(heard), others)


@app.command()
def show(
    rule: Annotated[str, typer.Argument(help="Its name, as `model list` prints it.")],
    config: ConfigOption = Path("playwatch.yaml"),
    limit: Annotated[int, typer.Option(min=1, help="At most so many groups.")] = 40,
    as_json: JsonOption = False,
) -> None:
    """Show the band of every group, the strangest first, and why one is not judged."""
    from playwatch.runtime.model_states import group_states, learned_of

    pipeline, _ = _state(config)
    watches = {watch.rule.name: watch for watch in learned_of(pipeline)}
    if rule not in watches:
        import difflib

        near = difflib.get_close_matches(rule, watches, n=1)
        known = ", ".join(watches) or "none"
        hint = f"did you mean {near[0]}?" if near else f"known are {known}"
        typer.echo(f"playwatch: the model watches nothing named {rule!r} ({hint})", err=True)
        raise typer.Exit(2)
    watch = watches[rule]
    states = group_states(watch)
    if as_json:
        from playwatch.cli.documents import print_json

        print_json([_group_document(one) for one in states[:limit]])
        return
    from playwatch.cli.model_tables import group_table

    group_table(states[:limit], len(states), watch.metric.unit, watch.rule.window_s)


def _state(config: Path) -> tuple[Pipeline, Sequence[Incident]]:
    """Return the rules as the newest snapshot has them, and the newest incidents."""
    from playwatch.cli.settings import load
    from playwatch.runtime.model_states import restored

    settings = load(config, need_secrets=False)
    saved, incidents = asyncio.run(_read(settings.store.path))
    pipeline, refused = restored(settings, saved)
    for reason in refused:
        typer.echo(f"playwatch: left out of the snapshot: {reason}", err=True)
    return pipeline, incidents


async def _read(path: Path) -> tuple[tuple[dict[str, bytes], int] | None, Sequence[Incident]]:
    from playwatch.core.listings import IncidentQuery
    from playwatch.store.sqlite import SqliteStore

    store = await SqliteStore.open(path, read_only=True)
    try:
        return await store.load_snapshot(), await store.incidents(IncidentQuery(limit=_INCIDENTS))
    finally:
        await store.close()


def _document(state: RuleState) -> dict[str, Any]:
    from dataclasses import asdict

    from playwatch.cli.documents import moment

    return {
        **asdict(state),
        "groupings": [list(names) for names in state.groupings],
        "since_at": moment(state.since_at),
        "judged_at": moment(state.judged_at),
    }


def _group_document(state: GroupState) -> dict[str, Any]:
    from dataclasses import asdict

    from playwatch.cli.documents import moment

    facts = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(state).items()
    }
    return {
        **facts,
        "breakdowns": dict(state.breakdowns),
        "judged_at": moment(state.judged_at),
    }
