"""The command line. Heavy things are imported inside the commands that need them."""

from __future__ import annotations

import sys

import typer

from playwatch import __version__
from playwatch.cli import (
    audit,
    backtest,
    bench,
    channel,
    check,
    config,
    delivery,
    demo,
    history,
    incident,
    model,
    publish,
    record,
    replay,
    run,
    silence,
    stand_in,
    store,
    test,
    train,
)
from playwatch.errors import PlaywatchError

app = typer.Typer(
    name="playwatch",
    help="Watches video metric streams over MQTT and pages the right people.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.run)
app.command()(demo.demo)
app.command()(publish.publish)
app.command()(record.record)
app.command()(replay.replay)
app.command()(backtest.backtest)
app.command()(train.train)
app.command()(audit.audit)
app.command()(bench.bench)
app.command("stand-in")(stand_in.stand_in)
app.add_typer(check.app, name="check")
app.add_typer(config.app, name="config")
app.add_typer(incident.app, name="incident")
app.add_typer(model.app, name="model")
app.add_typer(silence.app, name="silence")
app.add_typer(channel.app, name="channel")
app.add_typer(delivery.app, name="delivery")
app.add_typer(history.app, name="history")
app.add_typer(store.app, name="store")
app.add_typer(test.app, name="test")


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"playwatch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_tell_version, is_eager=True, help="Print the version."
    ),
) -> None:
    del version


def main() -> None:
    """Run the command line: 0 is fine, 1 means findings, 2 means it could not be done."""
    try:
        app()
    except PlaywatchError as error:
        typer.echo(f"playwatch: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(1)
