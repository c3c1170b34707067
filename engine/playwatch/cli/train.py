"""`playwatch train`: learn from recordings, and see what that changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playwatch.cli.replay import InputsArgument, complain
from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.config.schema import Settings
    from playwatch.runtime.replay_inputs import Inputs
    from playwatch.runtime.train import Lesson, Training


def train(
    inputs: InputsArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report; the store stays as it is.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the model learn from recordings, and compare what it would have paged.

    What it learns replaces what it knew, and counts from the next start of the
    engine. So the engine must not run meanwhile, unless with --dry-run.
    """
    from playwatch.cli.settings import load
    from playwatch.runtime.replay_inputs import Inputs

    settings = load(config, need_secrets=False)
    opened = Inputs(inputs)
    try:
        training = asyncio.run(_train(opened, settings, keeps=not dry_run))
    except KeyboardInterrupt:
        typer.echo("playwatch: stopped, nothing was written", err=True)
        raise typer.Exit(130) from None
    complain(opened, [], {})
    if as_json:
        from playwatch.cli.documents import print_json

        print_json(_document(training, is_kept=not dry_run))
        return
    from playwatch.cli.model_tables import lesson_table

    lesson_table(training)
    kept = "nothing is kept" if dry_run else f"kept in {settings.store.path}"
    typer.echo(f"{training.samples:,} samples learned from; {kept}", err=True)


async def _train(inputs: Inputs, settings: Settings, *, keeps: bool) -> Training:
    from playwatch.cli.progress import progress
    from playwatch.core.listings import IncidentQuery
    from playwatch.runtime.train import train as run
    from playwatch.store.sqlite import SqliteStore

    path = settings.store.path
    if not keeps and not path.exists():
        with progress(inputs.size, "learning") as told:
            return run(inputs, settings, None, (), told)
    store = await SqliteStore.open(path, read_only=not keeps)
    try:
        saved = await store.load_snapshot()
        past = await store.incidents(IncidentQuery(limit=100_000))
        with progress(inputs.size, "learning") as told:
            training = run(inputs, settings, saved, past, told)
        if keeps:
            await store.save_snapshot(dict(training.parts), training.taken_at)
        return training
    finally:
        await store.close()


def _document(training: Training, *, is_kept: bool) -> dict[str, Any]:
    from playwatch.cli.documents import moment

    return {
        "samples": training.samples,
        "from": moment(training.from_at),
        "compared_from": moment(training.compared_at),
        "until": moment(training.until_at),
        "is_kept": is_kept,
        "rules": [_lesson(one) for one in training.lessons],
    }


def _lesson(lesson: Lesson) -> dict[str, Any]:
    from playwatch.cli.documents import incident_document

    return {
        "rule": lesson.rule,
        "metric": lesson.metric,
        "groups": lesson.groups,
        "judged": lesson.judged,
        "intervals": lesson.intervals,
        "would_page": [incident_document(one) for one in lesson.would_page],
        "did_page": [incident_document(one) for one in lesson.did_page],
    }
