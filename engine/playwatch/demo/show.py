"""The show: a broker, an audience, the engine and a PagerDuty stand-in, in one process."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from playwatch.app import running
from playwatch.config.load import load_config
from playwatch.core.incidents import Status
from playwatch.demo.audience import FIRST_S, PAIRS, Audience
from playwatch.demo.board import Board
from playwatch.demo.pages_book import Effect
from playwatch.demo.screen import screen
from playwatch.demo.stand_in import StandIn
from playwatch.demo.stream import stream
from playwatch.ports import IncidentQuery
from playwatch.runtime.clock import SystemClock
from playwatch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from typing import TextIO

    from playwatch.app import Engine
    from playwatch.config.schema import Settings
    from playwatch.demo.audience import Sample
    from playwatch.demo.screen import Screen
    from playwatch.ports import Clock, Store

LIMIT_S: Final = 80.0
"""How long `--once` may take."""

_REFRESH_S: Final = 0.25


class Ending(Enum):
    """Why a show is over."""

    STOPPED = "stopped"
    SEEN = "seen"
    LATE = "late"


async def show(stop: asyncio.Event, *, once: bool, seed: int, as_json: bool) -> int:
    """Run a demo and return the exit code.

    Parameters
    ----------
    stop
        Ends it.
    once
        End by itself, when an incident has opened and resolved and the
        stand-in has heard of both.
    seed
        Of the simulated audience.
    as_json
        Print one JSON object to stdout at the end; everything else then goes
        to stderr.

    Returns
    -------
    int
        0, or 1 when ``once`` did not see an incident through.

    Raises
    ------
    ListenError
        If an address cannot be bound.
    PlaywatchError
        If the engine cannot start or the broker is lost.
    """
    out = sys.stderr if as_json else sys.stdout
    clock = SystemClock()
    began_ms = clock.monotonic_ms()
    with TemporaryDirectory(prefix="playwatch-demo-") as folder:
        async with StandIn(journal_limit=1000) as stand_in:
            config = Path(folder) / "playwatch.yaml"
            settings = _settings(config, stand_in.url)
            audience = Audience(seed, fault_limit=1 if once else None)
            async with running(settings) as engine:
                out.writelines(f"{line}\n" for line in _hints(engine, stand_in, config, seed))
                out.flush()
                play = _Play(settings, engine, stand_in, audience, clock)
                ending, failure = await play.run(stop, out, once=once)
    if failure is not None:
        raise failure
    if as_json:
        duration_s = (clock.monotonic_ms() - began_ms) / 1000
        document = {**play.document(), "seed": seed, "duration_s": round(duration_s, 1)}
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()
    out.write(f"{play.farewell()}\n")
    out.flush()
    if once and ending is not Ending.SEEN:
        reason = f"within {LIMIT_S:.0f} s" if ending is Ending.LATE else "before it was stopped"
        sys.stderr.write(f"playwatch: no incident opened and resolved {reason}\n")
        return 1
    return 0


def _settings(config: Path, pagerduty_url: str) -> Settings:
    """Write the demo's configuration to a file and read it as users do."""
    config.write_bytes(resources.files("playwatch.demo").joinpath("demo.yaml").read_bytes())
    environ = {"PAGERDUTY_KEY": uuid.uuid4().hex, "PAGERDUTY_URL": pagerduty_url}
    return load_config(config, environ=environ)


def _hints(engine: Engine, stand_in: StandIn, config: Path, seed: int) -> list[str]:
    """Return what to look at and what to try, before anything happens."""
    country, cdn = PAIRS[-1]
    return [
        f"The demo runs with seed {seed}: first fault in {FIRST_S} s, Ctrl-C ends it.",
        f"  pages received   {stand_in.base_url}/",
        f"  engine metrics   {engine.web_url}/metrics",
        f"  configuration    {config} (removed at the end)",
        "Make an incident of your own:",
        f"  playwatch publish --url {engine.broker_url} --metric playback_failure_percentage"
        f" --value 40 --views 500 -d country={country} -d cdn={cdn}",
    ]


@dataclass(slots=True)
class _Play:
    """One show while it runs."""

    settings: Settings
    engine: Engine
    stand_in: StandIn
    audience: Audience
    clock: Clock
    board: Board = field(default_factory=Board)
    told: int = 0
    news: list[str] = field(default_factory=list)

    async def run(
        self, stop: asyncio.Event, out: TextIO, *, once: bool
    ) -> tuple[Ending, Exception | None]:
        """Publish and show until stopped; return why it ended, and what went wrong."""
        url = self.engine.broker_url
        broker = self.settings.mqtt.model_copy(update={"url": url})
        bounds = {rule.name: str(rule.trigger["critical"]) for rule in self.settings.rules}
        store = await SqliteStore.open(self.settings.store.path, read_only=True)
        async with aclosing(_Closing(store)):
            with screen(out, bounds) as shown:
                work = [
                    asyncio.create_task(stream(self.audience, broker, self.clock, self._published)),
                    asyncio.create_task(self._follow(store, shown)),
                ]
