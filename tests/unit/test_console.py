from __future__ import annotations

import io
from typing import TYPE_CHECKING

from playwatch.channels import open_channel
from playwatch.channels.console import ConsoleChannel
from playwatch.config.schema import ConsoleSettings
from playwatch.core.deliveries import Misconfigured, Sent
from tests.fakes import HandClock
from tests.kit.channels import a_delivery, an_incident, its_resolve

if TYPE_CHECKING:
    import pytest

SETTINGS = ConsoleSettings(name="terminal", service="console")


async def test_a_trigger_is_one_line() -> None:
    stream = io.StringIO()

    assert await ConsoleChannel(SETTINGS, stream).send(a_delivery()) == Sent("printed")
    assert stream.getvalue() == (
        "TRIGGER critical playback-failures country=DE,cdn=fastly: Playback failure percentage"
        " 7.4 % (> 5) in country=DE, cdn=fastly: 74 of 1,000 views affected [a1b2c3d4e5f6]\n"
    )


async def test_a_resolve_tells_why_and_how_long() -> None:
    stream = io.StringIO()
    await ConsoleChannel(SETTINGS, stream).send(its_resolve(a_delivery()))

    assert stream.getvalue().startswith(
        "RESOLVE critical playback-failures country=DE,cdn=fastly: recovered after 10 min 0 s"
    )


async def test_nothing_in_an_incident_reaches_the_terminal_as_a_command() -> None:
    stream = io.StringIO()
    hostile = an_incident(rule="a\x1b[2J\nb\u202e", summary="c\x07\ud800")
    await ConsoleChannel(SETTINGS, stream).send(a_delivery(hostile))
    line = stream.getvalue()

    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()


async def test_a_narrow_encoding_is_no_obstacle() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    attempt = await ConsoleChannel(SETTINGS, stream).send(a_delivery(an_incident(summary="ü")))

    assert isinstance(attempt, Sent)
    assert rb"\xfc" in raw.getvalue()


async def test_a_closed_output_waits_for_the_operator() -> None:
    stream = io.StringIO()
    stream.close()

    attempt = await ConsoleChannel(SETTINGS, stream).send(a_delivery())

    assert isinstance(attempt, Misconfigured)


async def test_standard_output_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    channel = open_channel(SETTINGS, clock=HandClock())
    await channel.send(a_delivery())

    assert channel.name == "terminal"
    assert capsys.readouterr().out.startswith("TRIGGER critical")
