"""`playwatch test`: whether rules do what they should, before anyone is paged."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playwatch.cli.settings import JsonOption, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    from playwatch.errors import Problem
    from playwatch.runtime.scenarios.story import Event
    from playwatch.runtime.scenarios.verdict import Failure, Outcome

_INTERRUPTED = 130

app = typer.Typer(help="Test rules on written series.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Test rules on written series."""


@dataclass(slots=True)
class _FileReport:
    """What became of one file."""

    file: str
    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(not outcome.has_passed for outcome in self.outcomes)


@app.command()
def rules(
    files: Annotated[list[Path], typer.Argument(help="Files of rule tests.", metavar="FILE...")],
    run: Annotated[str, typer.Option("--run", help="Only tests whose name holds this text.")] = "",
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Show what happened in tests that pass, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Play written series through rules; hold incidents and pages against what is expected.

    The files have promtool's shape. Exit code 0: all tests passed; 1: a test
    failed; 2: a file cannot be read.
    """
    reports: list[_FileReport] = []
    is_over = False
    try:
        for report in _reports(files, run):
            reports.append(report)
            if not as_json:
                _print_report(report, with_timeline=timeline)
        is_over = True
    except KeyboardInterrupt:
        done = f"{len(reports)} of {counted(len(files), 'file')}"
        typer.echo(f"playwatch: interrupted after {done}", err=True)
    if as_json:
        from playwatch.cli.documents import print_json

        print_json(_document(reports))
    if not is_over:
        raise typer.Exit(_INTERRUPTED)
    if not as_json:
        _print_sum(reports)
    if any(report.problems for report in reports):
        raise typer.Exit(2)
    if any(report.failed for report in reports):
        raise typer.Exit(1)
    if not any(report.outcomes for report in reports):
        typer.echo(f"playwatch: no test has '{run}' in its name", err=True)
        raise typer.Exit(2)


def _reports(files: Sequence[Path], pattern: str) -> Iterator[_FileReport]:
    """Test file after file, with a bar on stderr where somebody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from playwatch.config.scenarios.load import load_suite
    from playwatch.errors import ConfigError
    from playwatch.runtime.scenarios.verdict import outcomes

    console = Console(stderr=True)
    columns = (TextColumn("testing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    is_hidden = len(files) == 1 or not console.is_terminal
    # Lines to a terminal go above the bar; a file or a pipe gets them as they are.
    is_shared = sys.stdout.isatty()
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=is_hidden,
        redirect_stdout=is_shared,
    ) as progress:
        task = progress.add_task("testing", total=len(files))
        for file in files:
            report = _FileReport(str(file))
            try:
                report.outcomes += outcomes(load_suite(file, environ=os.environ), pattern)
            except ConfigError as error:
                report.problems += error.problems
            progress.advance(task)
            yield report


def _print_report(report: _FileReport, *, with_timeline: bool) -> None:
    from rich.console import Console

    for problem in report.problems:
        typer.echo(str(problem), err=True)
    if report.problems:
        typer.echo(f"{report.file}: {counted(len(report.problems), 'mistake')}", err=True)
        return
    console = Console(highlight=False, soft_wrap=True)
    for outcome in report.outcomes:
        if not outcome.has_passed:
            _print_failed(console, report.file, outcome)
        elif with_timeline:
            console.print(f"{report.file}:{outcome.line}: ", outcome.name, markup=False, sep="")
            _print_timeline(console, outcome)
    count = counted(len(report.outcomes), "test")
    result = f"{count}, {report.failed} failed" if report.failed else f"{count} passed"
    console.print(f"{report.file}: {result}", markup=False)


def _print_failed(console: Console, file: str, outcome: Outcome) -> None:
    console.print(f"{file}:{outcome.line}: FAILED {outcome.name}", style="bold red", markup=False)
    for failure in outcome.failures:
        console.print(f"\n  line {failure.line}: {failure.what}", markup=False)
        console.print(_comparison(failure))
    _print_timeline(console, outcome)


def _comparison(failure: Failure) -> Table:
    """Return a failed check with what was expected and what came side by side."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("expected", overflow="fold")
    table.add_column("got", overflow="fold")
    for row in failure.rows:
        mark, style = ("", "dim") if row.is_met else ("x", "red")
        table.add_row(mark, escape(row.expected), escape(row.got), style=style)
    return table


def _print_timeline(console: Console, outcome: Outcome) -> None:
    from playwatch.config.quantities import format_duration

    console.print("  what happened:" if outcome.played.events else "  nothing happened")
    for event in outcome.played.events:
        at = f"+{format_duration(event.at_ms / 1000)}"
        console.print(f"  {at:>10}  {_line(event)}", markup=False)
    console.print()


def _line(event: Event) -> str:
    return f"{event.who}  {event.what}" if event.who else event.what


def _print_sum(reports: Sequence[_FileReport]) -> None:
    if len(reports) == 1:
        return
    tests = sum(len(report.outcomes) for report in reports)
    failed = sum(report.failed for report in reports)
    unread = sum(bool(report.problems) for report in reports)
    parts = [
        f"{counted(len(reports), 'file')}, {counted(tests, 'test')}: {tests - failed} passed",
        f"{failed} failed" if failed else "",
        f"{counted(unread, 'file')} cannot be read" if unread else "",
    ]
    typer.echo(", ".join(part for part in parts if part))


def _document(reports: Sequence[_FileReport]) -> dict[str, Any]:
    """Return all that is known, for machines."""
    outcomes = [outcome for report in reports for outcome in report.outcomes]
    return {
        "passed": sum(outcome.has_passed for outcome in outcomes),
        "failed": sum(not outcome.has_passed for outcome in outcomes),
        "unreadable": sum(bool(report.problems) for report in reports),
        "files": [
            {
                "file": report.file,
                "problems": [str(problem) for problem in report.problems],
                "tests": [_test_document(outcome) for outcome in report.outcomes],
            }
            for report in reports
        ],
    }


def _test_document(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "line": outcome.line,
        "passed": outcome.has_passed,
        "failures": [
            {
                "line": failure.line,
                "what": failure.what,
                "rows": [
                    {"expected": row.expected, "got": row.got, "met": row.is_met}
                    for row in failure.rows
                ],
            }
            for failure in outcome.failures
        ],
        "timeline": [
            {"at_s": event.at_ms / 1000, "who": event.who, "what": event.what}
            for event in outcome.played.events
        ],
    }
