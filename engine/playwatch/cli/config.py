"""`playwatch config`: what is in force, what may be written, who would be told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.config.routes import Listener
    from playwatch.config.schema import Settings
    from playwatch.core.rules import Rule

app = typer.Typer(help="Look at a configuration as the engine reads it.", no_args_is_help=True)


@app.command()
def show(config: ConfigOption = Path("playwatch.yaml"), as_json: JsonOption = False) -> None:
    """Print every setting in force, defaults too; secrets are masked, unset variables kept."""
    from playwatch.cli.settings import load
    from playwatch.config.show import effective, effective_yaml

    settings = load(config, need_secrets=False)
    if as_json:
        from playwatch.cli.documents import print_json

        print_json(effective(settings))
        return
    typer.echo(effective_yaml(settings), nl=False)


@app.command()
def schema(
    rule_file: Annotated[
        bool, typer.Option("--rule-file", help="Of a file that rule_files names.")
    ] = False,
) -> None:
    """Print the JSON Schema, for editors and other checkers."""
    from playwatch.config.show import json_schema, schema_text

    typer.echo(schema_text(json_schema(is_rule_file=rule_file)), nl=False)


@app.command()
def routes(
    config: ConfigOption = Path("playwatch.yaml"),
    rule: Annotated[str | None, typer.Option(help="An incident of this rule.")] = None,
    alert_type: Annotated[
        Literal["threshold", "anomaly", "engine"] | None,
        typer.Option(help="An incident of this type; engine is what Playwatch says of itself."),
    ] = None,
    severity: Annotated[
        Literal["info", "warning", "error", "critical"] | None,
        typer.Option(help="Of this severity; the gravest of its rule by default."),
    ] = None,
    dimension: Annotated[
        list[str] | None,
        typer.Option("--dimension", "-d", help="In this group: country=DE.", metavar="NAME=VALUE"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which channels would be told of an incident; exit 1 when none would."""
    from playwatch.cli.hands import with_added_channels
    from playwatch.cli.settings import load
    from playwatch.config.routes import listeners, self_listeners, watching
    from playwatch.core.rules import Severity

    settings = asyncio.run(with_added_channels(load(config, need_secrets=False)))
    dimensions = _dimensions(dimension or [])
    asked = None if rule is None else _rule(settings, rule)
    if asked is not None and alert_type not in {None, asked.alert_type.value}:
        typer.echo(f"playwatch: rule {asked.name} raises no {alert_type} incidents", err=True)
        raise typer.Exit(2)
    found = [
        listener
        for one in watching(settings, dimensions)
        if asked in {None, one} and alert_type in {None, one.alert_type.value}
        for listener in listeners(
            settings.channels, one, Severity[severity.upper()] if severity else None, dimensions
        )
    ]
    if asked is None and alert_type in {None, "engine"} and not dimensions:
        found += self_listeners(settings.channels)
    if not found and settings.channels:
        what = f"rule {asked.name} does not watch" if asked else "no rule watches"
        typer.echo(f"playwatch: {what} such a series", err=True)
    else:
        _print_routes(found, as_json=as_json)
    if not any(listener.is_told for listener in found):
        raise typer.Exit(1)


def _print_routes(found: Sequence[Listener], *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        from playwatch.cli.documents import print_json

        print_json([asdict(listener) for listener in found])
        return
    from playwatch.cli.routes import route_table

    route_table(found)


def _dimensions(written: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in written]
    for text, (name, equals, _) in zip(written, pairs, strict=True):
        if not name or not equals:
            typer.echo(f"playwatch: {text!r} is not NAME=VALUE, such as country=DE", err=True)
            raise typer.Exit(2)
    return {name: value for name, _, value in pairs}


def _rule(settings: Settings, name: str) -> Rule:
    import difflib

    from playwatch.config.anomalies import everything_listed

    rules = {rule.name: rule for rule in everything_listed(settings)}
    if name not in rules:
        near = difflib.get_close_matches(name, rules, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(rules) or 'none'}"
        typer.echo(f"playwatch: there is no rule {name!r} ({hint})", err=True)
        raise typer.Exit(2)
    return rules[name]
