"""`playwatch publish`: samples to a broker, acknowledged."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from playwatch.config.schema import MqttSettings
    from playwatch.ingest.publish import QoS

    Outgoing = tuple[str, bytes, bool]

DEFAULT_TOPIC = "playwatch/samples/cli"
PACKED_TOPIC = "playwatch/packed/cli"


def publish(
    source: Annotated[
        Path | None,
        typer.Argument(help="A file with one payload a line; - reads stdin.", metavar="[FILE]"),
    ] = None,
    url: Annotated[str, typer.Option(help="The broker.")] = "mqtt://127.0.0.1:1883",
    topic: Annotated[
        str | None,
        typer.Option(help=f"Where to publish: {DEFAULT_TOPIC}, or {PACKED_TOPIC} with --packed."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The metric's key.")] = None,
    value: Annotated[float | None, typer.Option(help="Its value.")] = None,
    views: Annotated[int, typer.Option(min=0, help="Views that the value summarises.")] = 1,
    dimension: Annotated[
        list[str] | None, typer.Option("--dimension", "-d", help="NAME=VALUE; may be repeated.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="When it was measured (RFC 3339).")] = None,
    qos: Annotated[Literal["0", "1"], typer.Option(help="1 waits for the broker.")] = "1",
    packed: Annotated[
        bool,
        typer.Option("--packed", help="Pack a file's samples; announce its series once, retained."),
    ] = False,
    source_name: Annotated[
        str, typer.Option("--source", help="With --packed: who sends.", metavar="NAME")
    ] = "playwatch-publish",
    username: Annotated[str | None, typer.Option(help="User at the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="Holds the password.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Certificates to trust.")] = None,
    protocol: Annotated[Literal["5", "3.1.1"], typer.Option(help="MQTT version.")] = "3.1.1",
) -> None:
    """Publish one sample from options, or one payload per line of a file.

    Examples
    --------
    playwatch publish --metric playback_failure_percentage --value 9 -d country=DE
    playwatch publish samples.jsonl
    playwatch publish --packed samples.jsonl   (a subscription with codec: packed reads it)
    """
    from playwatch.cli.settings import counted

    is_sample = metric is not None and value is not None
    if is_sample == (source is not None):
        message = "give --metric and --value, or a file"
        raise typer.BadParameter(message)
    payloads = (
        [_sample(metric or "", value or 0.0, views, dimension or [], at)]
        if source is None
        else _lines(source)
    )
    if packed and source is None:
        message = "it packs a file; one sample needs no packing"
        raise typer.BadParameter(message, param_hint="--packed")
    topic = topic or (PACKED_TOPIC if packed else DEFAULT_TOPIC)
    messages = _packed(payloads, source_name, topic) if packed else _plain(payloads, topic)
    settings = _broker(url, protocol, username, password_file, ca_file)
    count = asyncio.run(_send(settings, messages, 1 if qos == "1" else 0))
    acknowledged = "acknowledged by" if qos == "1" else "handed to"
    typer.echo(f"{counted(count, 'message')} {acknowledged} {url}")


async def _send(settings: MqttSettings, messages: list[Outgoing], qos: QoS) -> int:
    """Publish messages, each with whether it is to be retained; return how many."""
    from playwatch.ingest.publish import Publisher

    async with Publisher(settings) as publisher:
        for topic, payload, is_retained in messages:
            await publisher.publish(topic, payload, qos, retain=is_retained)
    return len(messages)


def _plain(payloads: list[bytes], topic: str) -> list[Outgoing]:
    return [(topic, payload, False) for payload in payloads]


def _packed(payloads: list[bytes], source: str, topic: str) -> list[Outgoing]:
    """Return the announcement of a file's series, on a topic of its own, and its samples."""
    from playwatch.cli.packing import Packing
    from playwatch.runtime.clock import SystemClock

    packing = Packing(source, SystemClock().wall_ms())
    packing.read(payloads)
    announced = (f"{topic}/{source}/keys", packing.announcement, True)
    return [announced, *_plain(list(packing.messages()), topic)]


def _broker(
    url: str,
    protocol: str,
    username: str | None,
    password_file: Path | None,
    ca_file: Path | None,
) -> MqttSettings:
    """Return where to publish, checked as a configuration file would be."""
    from pydantic import ValidationError

    from playwatch.config.schema import MqttSettings

    given = {
        "url": url,
        "protocol": protocol,
        "username": username,
        "password": _content(password_file).decode().strip() if password_file else None,
        "tls": {"ca_file": str(ca_file.resolve())} if ca_file else None,
    }
    try:
        return MqttSettings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise typer.BadParameter(message) from None


def _sample(metric: str, value: float, views: int, dimensions: list[str], at: str | None) -> bytes:
    import json

    pairs = {}
    for text in dimensions:
        name, equals, text_value = text.partition("=")
        if not equals or not name or not text_value:
            message = f"{text!r} is not NAME=VALUE"
            raise typer.BadParameter(message)
        pairs[name] = text_value
    sample = {"metric": metric, "value": value, "views": views, "dimensions": pairs}
    if at is not None:
        sample["at"] = at
    return json.dumps(sample, allow_nan=False).encode()


def _lines(source: Path) -> list[bytes]:
    return [line for line in _content(source).splitlines() if line.strip()]


def _content(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}"
        raise typer.BadParameter(message) from None
