"""How far a long run is, on stderr where somebody watches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwatch.runtime.backtest import Told


@contextmanager
def progress(size: int, what: str) -> Iterator[Told]:
    """Show on stderr how far a run is, how fast, and how long it takes yet."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(what), total=max(size, 1), rate="")
        passes = [0, 0]

        def told(position: int, samples: int) -> None:
            # A second pass begins anew.
            if position < passes[1]:
                passes[0] += passes[1]
            passes[1] = position
            elapsed_s = progress.tasks[0].elapsed or 0.0
            rate = f"{samples / elapsed_s:,.0f} samples/s" if elapsed_s > 1 else ""
            progress.update(task, completed=passes[0] + position, rate=rate)

        yield told
