"""Shows a demo: a live table in a terminal, lines anywhere else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from playwatch.channels.wording import headline
from playwatch.demo.board import DEDUP_PREFIX, WINDOW_S, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from rich.console import RenderableType

    from playwatch.core.incidents import Incident
    from playwatch.demo.board import Board, Receipt, Row

# The board, the headings and a prompt take this many lines.
_FIXED_LINES: Final = 21
_FEWEST: Final = 2
_MOST: Final = 6


class Screen(Protocol):
    """Where a demo is shown."""

    def draw(self, board: Board, news: list[str]) -> None:
        """Show how things stand and what is new."""


class LiveScreen:
    """Draws the board anew in place."""

    def __init__(self, live: Live, bounds: Mapping[str, str]) -> None:
        self._live = live
        self._bounds = bounds

    def draw(self, board: Board, news: list[str]) -> None:
        """Draw the board; what is new is in its tables."""
        del news
        room = (self._live.console.height - _FIXED_LINES) // 2
        picture = rendered(board, self._bounds, min(max(room, _FEWEST), _MOST))
        self._live.update(picture, refresh=True)


class Lines:
    """Writes what is new, a line each."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def draw(self, board: Board, news: list[str]) -> None:
        """Write the news."""
        del board
        self._out.writelines(f"{line}\n" for line in news)
        self._out.flush()


@contextmanager
def screen(out: TextIO, bounds: Mapping[str, str]) -> Iterator[Screen]:
    """Yield a screen on a stream while the context lasts.

    Parameters
    ----------
    bounds
        The trigger of each rule, by its name.

    Notes
    -----
    While a live table is shown, what others write to stdout and stderr, such as
    warnings in the log, is put above it.
    """
    console = Console(file=out, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(out)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield LiveScreen(live, bounds)


def rendered(board: Board, bounds: Mapping[str, str], entries: int) -> RenderableType:
    """Return the whole picture.

    Parameters
    ----------
    entries
        How many incidents and how many requests to show.
    """
    fault = board.fault
    now = Text(f"Simulated audience: {fault or 'all is well'}", "bold red" if fault else "bold")
    incidents = list(board.incidents.values())[-entries:]
    receipts = list(board.receipts)[-entries:]
    return Group(
        now,
        _values(board.rows(), bounds),
        Text("Incidents", "bold"),
        _incidents(incidents),
        Text("Received by the PagerDuty stand-in, milliseconds after the sample", "bold"),
        _receipts(receipts),
    )


def _values(rows: list[Row], bounds: Mapping[str, str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("country")
    table.add_column("CDN")
    for title in (
        f"failures\n{bounds.get('failures', '')}",
        f"views\nin {WINDOW_S} s",
        f"rebuffering\n{bounds.get('rebuffering', '')}",
        "viewers",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for row in rows:
        state = Text("INCIDENT " + ", ".join(row.rules), "bold red") if row.rules else Text("ok")
        table.add_row(
            row.country,
            row.cdn,
            _percent(row.failures, is_bad="failures" in row.rules),
            f"{row.views:,}",
            _percent(row.rebuffering, is_bad="rebuffering" in row.rules),
            Text(f"{row.viewers:,}", "red" if "viewers" in row.rules else ""),
            state,
        )
    return table


def _percent(value: float | None, *, is_bad: bool) -> Text:
    return Text("-" if value is None else f"{value:.1f} %", "red" if is_bad else "")


def _incidents(incidents: list[Incident]) -> RenderableType:
    if not incidents:
        return Text("  none yet", "dim")
    table = _list(("opened", 11), ("state", 18), ("what", 20))
    for incident in incidents:
        ended = f"resolved {moment(incident.ended_at)}"
        table.add_row(
            Text(f"  {moment(incident.opened_at)}"),
            Text("OPEN", "bold red") if incident.is_open else Text(ended, "green"),
            Text(headline(incident)),
        )
    return table


def _receipts(receipts: list[Receipt]) -> RenderableType:
    if not receipts:
        return Text("  nothing received yet", "dim")
    table = _list(("at", 11), ("action", 7), ("incident", 12), ("key", 9), ("answer", 3), ("ms", 6))
    for receipt in receipts:
        entry, latency_ms = receipt.entry, receipt.latency_ms
        table.add_row(
            Text(f"  {moment(entry.at)}"),
            Text(entry.action, "red" if entry.action == "trigger" else "green"),
            Text(entry.dedup_key.removeprefix(DEDUP_PREFIX)),
            Text(f"key {entry.key}"),
            Text(str(entry.status)),
            Text("" if latency_ms is None else f"{latency_ms} ms"),
        )
    return table


def _list(*columns: tuple[str, int]) -> Table:
    """Return a table without lines, whose columns keep a width; the last may be cut."""
    table = Table.grid(padding=(0, 2))
    for name, width in columns:
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=width)
    return table
