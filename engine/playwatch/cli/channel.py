"""`playwatch channel`: the places where pages go."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.run import ConfigOption
from playwatch.cli.settings import JsonOption

if TYPE_CHECKING:
    from playwatch.cli.documents import Document
    from playwatch.config.channels import ChannelSettings
    from playwatch.core.deliveries import Attempt
    from playwatch.ports import Channel

app = typer.Typer(help="Look at notification channels and try them.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at notification channels and try them."""


@app.command("list")
def list_channels(
    config: ConfigOption = Path("playwatch.yaml"), as_json: JsonOption = False
) -> None:
    """Show the configured channels, what they take, and the end of their keys."""
    from playwatch.cli.settings import load

    channels = [channel_document(one) for one in load(config, need_secrets=False).channels]
    if as_json:
        from playwatch.cli.documents import print_json

        print_json(channels)
        return
    from playwatch.cli.channel_table import print_channels

    print_channels(channels)


def channel_document(channel: ChannelSettings) -> Document:
    """Return what may be told of a channel: its key by its end and its fingerprint.

    A key whose variable is not set is told as that variable.
    """
    from playwatch.channels import fingerprint, last_four

    is_unset = channel.key.startswith("${")
    told = channel.model_dump(mode="json", by_alias=True, exclude_none=True)
    filters = ("min_severity", "rules", "metrics", "where", "severity_map", "send_resolved")
    return {
        "name": channel.name,
        "service": channel.service,
        "alert_types": channel.alert_types,
        "self_alerts": channel.self_alerts,
        "key": channel.key if is_unset else last_four(channel.key),
        "fingerprint": "" if is_unset else fingerprint(channel.key),
        **{name: told.get(name) for name in filters},
        "rate_limit": told.get("rate_limit", "none"),
    }


@app.command()
def test(
    name: Annotated[str, typer.Argument(help="The channel's name in the configuration.")],
    config: ConfigOption = Path("playwatch.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Send a marked trigger and its resolve, and show what the service answers."""
    from playwatch.channels import open_channel
    from playwatch.cli.settings import load
    from playwatch.runtime.clock import SystemClock

    settings = load(config)
    found = next((one for one in settings.channels if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in settings.channels) or "none"
        typer.echo(f"playwatch: no channel {name!r} in {config}; it has: {names}", err=True)
        raise typer.Exit(2)
    answers = asyncio.run(_try(open_channel(found, clock=SystemClock())))
    is_well = all(outcome == "sent" for _, outcome, _ in answers)
    if as_json:
        from playwatch.cli.documents import print_json

        print_json([{"action": a, "outcome": o, "detail": d} for a, o, d in answers])
    else:
        for action, outcome, detail in answers:
            typer.echo(f"{action}: {outcome}: {detail}")
    if not is_well:
        raise typer.Exit(1)


async def _try(channel: Channel) -> list[tuple[str, str, str]]:
    from playwatch.runtime.rehearsal import rehearsal

    try:
        answers = []
        for delivery in rehearsal(channel):
            attempt = await channel.send(delivery)
            outcome, detail = _words(attempt)
            answers.append((delivery.action.value, outcome, detail))
            if outcome != "sent":
                break
        return answers
    finally:
        await channel.close()


def _words(attempt: Attempt) -> tuple[str, str]:
    from playwatch.core.deliveries import Sent

    outcome = type(attempt).__name__.lower()
    return outcome, attempt.answer if isinstance(attempt, Sent) else attempt.reason
