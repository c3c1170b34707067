"""`playwatch record`: what arrives, into a file, to evaluate it again later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playwatch.cli.run import ConfigOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.config.schema import MqttSettings, Settings
    from playwatch.core.pipeline import Step
    from playwatch.core.samples import Instant


def record(
    out: Annotated[Path, typer.Argument(help="The recording to write.", metavar="OUT")],
    config: ConfigOption = Path("playwatch.yaml"),
    duration: Annotated[
        str | None, typer.Option(help="End by itself after this long: 90s, 1h.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Go on with a recording.")] = False,
    url: Annotated[
        str | None, typer.Option(help="Another broker, such as the demo's.", metavar="URL")
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Print transitions meanwhile, as replay will.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Record messages with their arrival times, beside a running engine, until Ctrl-C.

    Examples
    --------
    playwatch record -c playwatch.yaml friday.rec --duration 2h
    """
    from playwatch.cli.settings import load
    from playwatch.config.quantities import parse_duration

    try:
        limit_s = None if duration is None else parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--duration") from None
    settings = load(config, need_secrets=False)
    shown = _shown(as_json=as_json) if evaluate else None
    asyncio.run(_record(settings, _broker(settings.mqtt, url), out, limit_s, append, shown))


async def _record(
    settings: Settings,
    mqtt: MqttSettings,
    out: Path,
    limit_s: float | None,
    append: bool,
    shown: Callable[[Instant, Step], None] | None,
) -> None:
    import random
    import uuid

    from playwatch.cli.settings import counted
    from playwatch.cli.signals import stop_requested
    from playwatch.core.samples import Instant
    from playwatch.ingest.mqtt import MqttSource
    from playwatch.ingest.recordings_writer import RecordingWriter
    from playwatch.runtime.clock import SystemClock
    from playwatch.runtime.record import record as run
    from playwatch.runtime.replay import Evaluation
    from playwatch.telemetry import Telemetry

    clock = SystemClock()
    source = MqttSource(
        mqtt,
        Telemetry(),
        clock,
        client_id=f"playwatch-record-{uuid.uuid4().hex[:8]}",
        rng=random.Random(),  # noqa: S311 - jitter, not secrets
    )
    evaluation = None if shown is None else Evaluation(settings)
    started = Instant(clock.wall_ms(), clock.monotonic_ms())
    writer = RecordingWriter.open(out, started, append=append)
    typer.echo(f"recording {source.name} to {out}; Ctrl-C ends it", err=True)
    tasks: list[asyncio.Task[None]] = []
    try:
        with stop_requested() as stop:
            stopping = asyncio.create_task(_stopped(stop))
            recording = run(source, writer, clock, evaluation=evaluation, told=shown)
            tasks = [stopping, asyncio.create_task(source.run()), asyncio.create_task(recording)]
            done, _ = await asyncio.wait(
                tasks, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
    for task in done:
        if failure := task.exception():
            raise failure.exceptions[0] if isinstance(failure, ExceptionGroup) else failure
    typer.echo(
        f"{out}: {counted(writer.messages, 'message')} in {counted(writer.reads, 'read')},"
        f" {writer.written:,} bytes",
        err=True,
    )


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()


def _broker(mqtt: MqttSettings, url: str | None) -> MqttSettings:
    """Return how to listen beside an engine: another name, and nothing kept for us."""
    changes: dict[str, object] = {"client_id": None, "session_expiry_s": 0.0}
    if url is not None or mqtt.embedded:
        embedded = f"mqtt://{mqtt.listen}"
        changes |= {"url": url or embedded, "embedded": False}
    if mqtt.embedded:
        changes["protocol"] = "3.1.1"
    return mqtt.model_copy(update=changes)


def _shown(*, as_json: bool) -> Callable[[Instant, Step], None]:
    from playwatch.cli.replay import printer

    return printer(as_json=as_json)
