"""The broker of a bench: mosquitto where there is one, else our own."""

from __future__ import annotations

import getpass
import os
import re
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from playwatch.bench.child import BenchError, Child, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# Debian keeps daemons where only root looks.
_FOLDERS: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_SETTINGS: Final = """\
listener {port} 127.0.0.1
user {user}
allow_anonymous true
max_inflight_messages 1000
max_queued_messages 0
set_tcp_nodelay true
persistence false
"""


BrokerChoice = Literal["auto", "mosquitto", "embedded"]
"""Which broker to measure with; auto is mosquitto, or ours where it is not installed."""


@dataclass(frozen=True, slots=True)
class BenchBroker:
    """A broker on loopback.

    Attributes
    ----------
    name
        In words.
    caveat
        What to know before comparing figures; empty for nothing.
    port
        Where it listens, or is to listen.
    settings
        Of ``mqtt:`` in the engine's configuration.
    """

    name: str
    caveat: str
    port: int
    settings: str


@asynccontextmanager
async def broker(
    choice: BrokerChoice, folder: Path, path: str | None = None
) -> AsyncIterator[BenchBroker]:
    """Run a broker; the embedded one starts with the engine.

    Parameters
    ----------
    folder
        For its configuration.
    path
        Where to look for mosquitto; by default PATH, and where daemons are.

    Raises
    ------
    BenchError
        If mosquitto is asked for and not there, or does not start.
    """
    if path is None:
        path = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS))
    command = None if choice == "embedded" else shutil.which("mosquitto", path=path)
    port = free_port()
    if command is None:
        if choice == "mosquitto":
            message = "mosquitto is not installed: install it, or leave out --broker mosquitto"
            raise BenchError(message)
        yield _embedded(port)
        return
    config = folder / "mosquitto.conf"
    config.write_text(_SETTINGS.format(port=port, user=getpass.getuser()))
    async with Child("mosquitto", (command, "-c", str(config))) as child:
        said = re.search(r"version (\S+) running", await child.says(" running"))
        name = f"mosquitto {said[1]}" if said else "mosquitto"
        yield BenchBroker(name, "", port, f"url: mqtt://127.0.0.1:{port}")


def _embedded(port: int) -> BenchBroker:
    return BenchBroker(
        name="the embedded broker",
        caveat=(
            "The embedded broker is for small sites. It works within the engine, whose processor"
            " time includes it: install mosquitto to see what the engine itself can do."
        ),
        port=port,
        settings=f'embedded: true, listen: "127.0.0.1:{port}"',
    )
