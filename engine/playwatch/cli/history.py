"""`playwatch history`: what was kept of every series, as samples to replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.run import ConfigOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwatch.store.history import History

LastOption = Annotated[
    str | None,
    typer.Option(help="Only the last such time of the history, such as 2h or 7d.", metavar="TIME"),
]

app = typer.Typer(help="Take samples out of the history.", no_args_is_help=True)


@app.callback()
def _only() -> None:
    """Let `export` be a command of its own."""


@app.command()
def export(
    target: Annotated[
        Path, typer.Argument(help="The file to write, JSON lines; - for stdout.", metavar="FILE")
    ],
    metric: Annotated[str | None, typer.Option(help="Only this metric.", metavar="KEY")] = None,
    last: LastOption = None,
    config: ConfigOption = Path("playwatch.yaml"),
) -> None:
    """Write one-minute samples as `replay` and `backtest` read them, engine up or down.

    A sample stands in the middle of its minute, with the views of that minute.
    """
    import sys
    from contextlib import closing

    from playwatch.cli.settings import load
    from playwatch.store.history import History

    settings = load(config, need_secrets=False)
    minutes = minutes_of(last)
    with closing(History.open(settings.store.history_path, read_only=True)) as history:
        if str(target) == "-":
            count = sum(sys.stdout.write(line) > 0 for line in _lines(history, metric, minutes))
        else:
            with target.open("w", encoding="utf-8") as out:
                count = sum(out.write(line) > 0 for line in _lines(history, metric, minutes))
    typer.echo(f"{count:,} samples", err=True)


def minutes_of(last: str | None) -> int | None:
    """Return how many minutes a time is, one at least; None for none.

    Raises
    ------
    typer.BadParameter
        If it is no time.
    """
    from playwatch.config.quantities import parse_duration

    try:
        return None if last is None else max(round(parse_duration(last) / 60), 1)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _lines(history: History, metric: str | None, minutes: int | None) -> Iterator[str]:
    """Iterate over samples as JSON, in the order of their time, an hour at a time."""
    import json

    from playwatch.core.series import dimensions_of
    from playwatch.runtime.history import is_of_rule

    span = history.span()
    if span is None:
        return
    first = span[0] if minutes is None else max(span[0], span[1] - minutes + 1)
    kept = [
        (one, key, dict(dimensions_of(names)), merge)
        for one, key, names, merge in history.series()
        if not is_of_rule(key) and metric in {None, key}
    ]
    facts = {one: {"metric": key, "dimensions": names} for one, key, names, _ in kept}
    for hour in range(first - first % 60, span[1] + 1, 60):
        found: list[tuple[int, int, float, int]] = []
        for merge in {one[3] for one in kept}:
            ids = [one[0] for one in kept if one[3] is merge]
            rows = history.read(ids, merge, max(hour, first), hour + 59)
            columns = (rows.minute.tolist(), rows.series.tolist(), rows.value.tolist())
            found += zip(*columns, rows.views.tolist(), strict=True)
        for minute, one, value, views in sorted(found):
            sample = {**facts[one], "value": value, "views": views, "at": minute * 60_000 + 30_000}
            yield f"{json.dumps(sample)}\n"
