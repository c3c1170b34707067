"""`playwatch replay`: recorded samples through the rules, transition by transition."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.run import ConfigOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.core.pipeline import Step
    from playwatch.core.samples import Instant
    from playwatch.runtime.replay import Evaluation
    from playwatch.runtime.replay_inputs import Inputs

    Shown = Callable[[Instant, Step], None]

InputsArgument = Annotated[
    list[Path], typer.Argument(help="Recordings, CSV or JSON lines.", metavar="INPUT...")
]


def replay(
    inputs: InputsArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="1 is as it was, 60 a minute a second; default unpaced."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Print the transitions that the rules make of recorded samples; nobody is paged.

    A CSV has the columns metric, value, at, perhaps views; every other one is a dimension.
    """
    from playwatch.cli.settings import load
    from playwatch.runtime.replay import INSTALLATION, Evaluation
    from playwatch.runtime.replay_inputs import Inputs

    settings = load(config, need_secrets=False)
    opened = Inputs(inputs)
    evaluation = Evaluation(settings, opened.installation or INSTALLATION)
    try:
        asyncio.run(_replay(opened, evaluation, speed, printer(as_json=as_json)))
    finally:
        complain(opened, evaluation.complaints, dict(evaluation.refused))
    if opened.complaints:
        raise typer.Exit(1)


async def _replay(
    inputs: Inputs, evaluation: Evaluation, speed: float | None, shown: Shown
) -> None:
    from playwatch.cli.signals import stop_requested
    from playwatch.runtime.clock import SystemClock
    from playwatch.runtime.replay import replayed

    clock = SystemClock()
    began_ms, first_ms = clock.monotonic_ms(), None
    with stop_requested() as stop:
        for number, (now, step) in enumerate(replayed(inputs, evaluation)):
            if step.turns:
                shown(now, step)
            first_ms = now.monotonic_ms if first_ms is None else first_ms
            if speed is not None:
                due_ms = (now.monotonic_ms - first_ms) / speed
                left_s = (due_ms - (clock.monotonic_ms() - began_ms)) / 1000
                await _pause(stop, max(0.0, left_s))
            elif number % 256 == 0:
                await asyncio.sleep(0)
            if stop.is_set():
                typer.echo("playwatch: stopped", err=True)
                raise typer.Exit(130)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def printer(*, as_json: bool) -> Shown:
    """Return what prints the transitions of a step."""
    from playwatch.cli.backtest_documents import transition_lines

    def as_lines(now: Instant, step: Step) -> None:
        for line in transition_lines(now, step):
            typer.echo(line)

    def as_words(now: Instant, step: Step) -> None:
        from playwatch.cli.documents import moment

        for change, incident in step.turns:
            words = incident.words_on(change)
            what = f"{change.value:<8} {incident.severity.word:<8} {incident.rule}"
            told = [
                one.channel for one in step.changes.deliveries if one.incident_id == incident.id
            ]
            to = f" -> {', '.join(told)}" if told else ""
            typer.echo(_printable(f"{moment(now.at)} {what}: {words}{to}"))

    return as_lines if as_json else as_words


def complain(inputs: Inputs, complaints: list[str], refused: dict[str, int]) -> None:
    """Say on stderr what was left out, each thing with its place."""
    from playwatch.cli.settings import counted

    for complaint in [*inputs.complaints, *complaints]:
        typer.echo(_printable(complaint), err=True)
    if inputs.left_out:
        typer.echo(f"left out: {counted(inputs.left_out, 'bad sample')} of files", err=True)
    if refused:
        sums = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
        typer.echo(f"refused, as the engine would: {sums}", err=True)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
