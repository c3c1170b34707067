"""`playwatch train`: learn from recordings or from kept history, and see what that changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playwatch.cli.history import LastOption, minutes_of
from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.config.schema import Settings
    from playwatch.runtime.replay_inputs import Replayable
    from playwatch.runtime.train import Lesson, Training


def train(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Recordings, CSV or JSON lines; the kept history without any.",
            metavar="[INPUT...]",
        ),
    ] = None,
    config: ConfigOption = Path("playwatch.yaml"),
    history: Annotated[
        bool,
        typer.Option("--history", help="Learn from what the engine has kept, minute by minute."),
    ] = False,
    last: LastOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report; the store stays as it is.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the model learn from recordings or kept history; compare what it would have paged.

    It learns what is normal for each group: levels, the course of the day and the
    week, scatter, and how often chance brings what. The trees that tell incidents
    from what recurs come with the package and stay as they are.

    What it learns replaces what it knew, and counts from the next start of the
    engine. So the engine must not run meanwhile, unless with --dry-run.
    """
    from playwatch.cli.settings import load

    if inputs and (history or last):
        message = "recordings, or --history with --last: not both"
        raise typer.BadParameter(message)
    settings = load(config, need_secrets=False)
    try:
        if inputs:
            training = _from_files(inputs, settings, keeps=not dry_run)
        else:
            training = _from_history(settings, minutes_of(last), keeps=not dry_run)
    except KeyboardInterrupt:
        typer.echo("playwatch: stopped, nothing was written", err=True)
        raise typer.Exit(130) from None
    if as_json:
        from playwatch.cli.documents import print_json

        print_json(_document(training, is_kept=not dry_run))
        return
    from playwatch.cli.model_tables import lesson_table

    lesson_table(training)
    kept = "nothing is kept" if dry_run else f"kept in {settings.store.path}"
    typer.echo(f"{training.samples:,} samples learned from; {kept}", err=True)


def _from_files(paths: list[Path], settings: Settings, *, keeps: bool) -> Training:
    from playwatch.cli.replay import complain
    from playwatch.runtime.replay_inputs import Inputs

    opened = Inputs(paths)
    try:
        return asyncio.run(_train(opened, settings, keeps=keeps))
    finally:
        complain(opened, [], {})


def _from_history(settings: Settings, minutes: int | None, *, keeps: bool) -> Training:
    from contextlib import closing

    from playwatch.runtime.replay_history import KeptHistory
    from playwatch.store.history import History

    with closing(History.open(settings.store.history_path, read_only=True)) as history:
        kept = KeptHistory(history, minutes)
        training = asyncio.run(_train(kept, settings, keeps=keeps))
    for complaint in kept.complaints:
        typer.echo(complaint, err=True)
    return training


async def _train(inputs: Replayable, settings: Settings, *, keeps: bool) -> Training:
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
