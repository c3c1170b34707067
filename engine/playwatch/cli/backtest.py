"""`playwatch backtest`: the pages that a rule set would have sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.progress import progress
from playwatch.cli.replay import InputsArgument, complain
from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.config.schema import Settings
    from playwatch.core.rules import Rule
    from playwatch.runtime.backtest import Backtest
    from playwatch.runtime.replay_inputs import Inputs


def backtest(
    inputs: InputsArgument,
    config: ConfigOption = Path("playwatch.yaml"),
    against: Annotated[
        Path | None, typer.Option(help="Another configuration: show what it changes.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--suggest", help="Suggest bounds for a budget: '3 per week'."),
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Only this rule; with --suggest: which.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report with charts.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which incidents and pages rules would have made of recorded samples.

    Examples
    --------
    playwatch backtest november.rec -c playwatch.yaml --against stricter.yaml
    playwatch backtest november.csv -c playwatch.yaml --suggest "3 per week" --rule failures
    """
    from playwatch.runtime.replay_inputs import Inputs

    opened = Inputs(inputs)
    try:
        if budget is None:
            _backtest(opened, config, against, rule, html, as_json=as_json)
        else:
            _suggest(opened, config, budget, rule, as_json=as_json)
    except KeyboardInterrupt:
        typer.echo("playwatch: stopped, nothing was written", err=True)
        raise typer.Exit(130) from None


def _backtest(
    inputs: Inputs,
    config: Path,
    against: Path | None,
    name: str | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    from playwatch.cli.settings import load
    from playwatch.runtime.backtest import backtest as run
    from playwatch.runtime.backtest_compare import compare
    from playwatch.runtime.backtest_traces import Traces

    settings = load(config, need_secrets=False)
    other = None if against is None else load(against, need_secrets=False)
    traces = Traces() if html is not None else None
    with progress(inputs.size, "evaluating") as told:
        found = run(inputs, settings, rules=_only(settings, name), traces=traces, told=told)
    complain(inputs, [], dict(found.refused))
    later: Backtest | None = None
    if other is not None:
        with progress(inputs.size, f"evaluating {against}") as told:
            later = run(inputs, other, rules=_only(other, name), told=told)
    difference = None if later is None else compare(found, later)
    if html is not None and traces is not None:
        from playwatch.web.report import write_report

        write_report(html, found, traces, str(config), difference)
        typer.echo(f"report: {html}", err=True)
    if as_json:
        from playwatch.cli.backtest_documents import backtest_document, difference_document
        from playwatch.cli.documents import print_json

        document = backtest_document(found)
        if difference is not None and later is not None:
            document["against"] = difference_document(difference, found, later)
        print_json(document)
        return
    from playwatch.cli.backtest_tables import backtest_tables, difference_tables

    backtest_tables(found)
    if difference is not None and later is not None:
        difference_tables(difference, found, later, (str(config), str(against)))


def _suggest(inputs: Inputs, config: Path, budget: str, name: str | None, *, as_json: bool) -> None:
    from playwatch.cli.settings import load
    from playwatch.core.rules import AlertType
    from playwatch.runtime.suggest import budget_per_week, suggest

    per_week = budget_per_week(budget)
    settings = load(config, need_secrets=False)
    rules = [rule for rule in _only(settings, name) if rule.alert_type is AlertType.THRESHOLD]
    if len(rules) != 1:
        names = ", ".join(one.name for one in rules) or "none"
        typer.echo(f"playwatch: --suggest needs one rule, name it with --rule: {names}", err=True)
        raise typer.Exit(2)
    with progress(2 * inputs.size, "trying bounds") as told:
        found = suggest(inputs, settings, rules[0], per_week, told)
    complain(inputs, [], {})
    if as_json:
        from playwatch.cli.backtest_documents import suggestion_document
        from playwatch.cli.documents import print_json

        print_json(suggestion_document(found))
    else:
        from playwatch.cli.backtest_tables import suggestion_table

        suggestion_table(found)
    if found.best is None:
        raise typer.Exit(1)


def _only(settings: Settings, name: str | None) -> list[Rule]:
    """Return what is watched, or the one rule of a name."""
    from playwatch.config.anomalies import everything_watched

    every = everything_watched(settings)
    rules = [rule for rule in every if name in {None, rule.name}]
    if name is not None and not rules:
        names = ", ".join(rule.name for rule in every) or "none"
        typer.echo(f"playwatch: no rule {name!r}; there are: {names}", err=True)
        raise typer.Exit(2)
    return rules
