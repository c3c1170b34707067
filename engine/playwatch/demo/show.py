"""The show: a broker, an audience, the engine and a PagerDuty stand-in, in one process."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import uuid
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from playwatch.app import running
from playwatch.config.load import load_config
from playwatch.core.listings import IncidentQuery
from playwatch.demo.audience import FIRST_S, PAIRS, REBUFFERING, Audience
from playwatch.demo.board import Board
from playwatch.demo.pages_book import Effect
from playwatch.demo.screen import screen
from playwatch.demo.stand_in import StandIn
from playwatch.demo.stream import stream
from playwatch.runtime.clock import SystemClock
from playwatch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from typing import TextIO

    from playwatch.app import Engine
    from playwatch.config.schema import Settings
    from playwatch.demo.audience import Sample
    from playwatch.demo.screen import Screen
    from playwatch.ports import Clock, Store

LIMIT_S: Final = 180.0
"""How long `--once` may take."""

_FAULTS: Final = 2
"""What `--once` waits for: an anomaly and a threshold incident."""
_REFRESH_S: Final = 0.25
_LOOKED_AT: Final = 50
_JOURNAL: Final = 1000


class Ending(Enum):
    """Why a show is over."""

    SEEN = "seen"
    STOPPED = "stopped"
    LATE = "late"


async def show(stop: asyncio.Event, *, once: bool, seed: int, as_json: bool) -> int:
    """Run a demo and return the exit code.

    Parameters
    ----------
    stop
        Ends it.
    once
        End by itself, when an anomaly and a threshold incident have opened and
        resolved and the stand-in has heard of both.
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
        config = Path(folder) / "playwatch.yaml"
        async with StandIn(journal_limit=_JOURNAL) as stand_in:
            token = secrets.token_hex(8)
            settings = _settings(config, stand_in.url, token)
            async with running(settings) as engine:
                audience = Audience(seed, fault_limit=_FAULTS if once else None)
                play = _Play(settings, engine, stand_in, audience, clock)
                hints = _hints(engine, stand_in, config, seed, token)
                # A task of its own, or the engine's task group would wrap its failure.
                playing = asyncio.create_task(play.run(stop, out, hints, once=once))
                try:
                    await asyncio.wait([playing])
                finally:
                    if playing.cancel():
                        await asyncio.wait([playing])
    ending = playing.result()
    out.write(f"{play.farewell()}\n")
    out.flush()
    if as_json:
        duration_s = round((clock.monotonic_ms() - began_ms) / 1000, 1)
        document = {**play.document(), "duration_s": duration_s, "seed": seed}
        sys.stdout.write(f"{json.dumps(document)}\n")
        sys.stdout.flush()
    if not once or ending is Ending.SEEN:
        return 0
    when = f"within {LIMIT_S:.0f} s" if ending is Ending.LATE else "before the demo was stopped"
    sys.stderr.write(f"playwatch: no incident opened and resolved {when}\n")
    return 1


def _settings(config: Path, pagerduty_url: str, token: str) -> Settings:
    """Write the demo's configuration to a file and read it as users do."""
    config.write_bytes(resources.files("playwatch.demo").joinpath("demo.yaml").read_bytes())
    environ = {
        "PAGERDUTY_KEY": uuid.uuid4().hex,
        "ANOMALY_KEY": uuid.uuid4().hex,
        "PAGERDUTY_URL": pagerduty_url,
        "PLAYWATCH_TOKEN": token,
    }
    return load_config(config, environ=environ)


def _hints(engine: Engine, stand_in: StandIn, config: Path, seed: int, token: str) -> list[str]:
    """Return what to look at and what to try, before anything happens."""
    country, cdn = PAIRS[-1]
    sample = f"--metric {REBUFFERING} --value 40 --views 9000 -d country={country} -d cdn={cdn}"
    return [
        f"The demo runs with seed {seed}: the first fault comes in {FIRST_S} s, Ctrl-C ends it.",
        f"  in your browser  {engine.web_url}/  (incidents, charts, channels)",
        f"  to change things log in there with the word {token}",
        f"  pages received   {stand_in.base_url}/",
        f"  engine metrics   {engine.web_url}/metrics",
        f"  configuration    {config} (removed at the end)",
        "Make an incident of your own:",
        f"  playwatch publish --url {engine.broker_url} {sample}",
        "",
    ]


@dataclass(slots=True)
class _Play:
    """One show: what takes part in it, and what there is to see."""

    settings: Settings
    engine: Engine
    stand_in: StandIn
    audience: Audience
    clock: Clock
    board: Board = field(default_factory=Board)
    news: list[str] = field(default_factory=list)
    requests_told: int = 0

    async def run(
        self, stop: asyncio.Event, out: TextIO, hints: list[str], *, once: bool
    ) -> Ending:
        """Publish and show until it is time to end; return why it was."""
        out.writelines(f"{line}\n" for line in hints)
        out.flush()
        store = await SqliteStore.open(self.settings.store.path, read_only=True)
        bounds = {rule.name: str(rule.trigger["critical"]) for rule in self.settings.rules}
        try:
            with screen(out, bounds) as shown:
                ending = await self._until_over(stop, store, shown, once=once)
                await self._look(store, shown)
                return ending
        finally:
            await store.close()

    async def _until_over(
        self, stop: asyncio.Event, store: Store, shown: Screen, *, once: bool
    ) -> Ending:
        broker = self.settings.mqtt.model_copy(update={"url": self.engine.broker_url})
        endings: dict[asyncio.Task[Any], Ending] = {}
        if once:
            endings[asyncio.create_task(self._resolved())] = Ending.SEEN
        endings[asyncio.create_task(stop.wait())] = Ending.STOPPED
        tasks = [
            *endings,
            asyncio.create_task(stream(self.audience, broker, self.clock, self._published)),
            asyncio.create_task(self._follow(store, shown)),
        ]
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=LIMIT_S if once else None, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        return next((ending for task, ending in endings.items() if task in done), Ending.LATE)

    async def _resolved(self) -> None:
        """Return once as many pages were resolved as there are faults, and none is open."""
        await self.stand_in.wait_for(
            lambda server: (
                server.count("resolve", Effect.RESOLVED) >= _FAULTS and not server.open_keys
            )
        )

    def _published(self, second: int, samples: list[Sample]) -> None:
        self.board.hear(samples)
        self.news += self.board.befall(self.audience.fault(second))

    async def _follow(self, store: Store, shown: Screen) -> None:
        while True:
            await self._look(store, shown)
            await self.clock.sleep(_REFRESH_S)

    async def _look(self, store: Store, shown: Screen) -> None:
        """Show how things stand."""
        # The requests first: their incidents are stored before they are sent.
        fresh = self.stand_in.requests - self.requests_told
        entries = self.stand_in.journal[-fresh:] if fresh else ()
        self.requests_told += fresh
        incidents = await store.incidents(IncidentQuery(limit=_LOOKED_AT))
        news, self.news = self.news, []
        shown.draw(self.board, [*news, *self.board.learn(incidents, entries)])

    def document(self) -> dict[str, object]:
        """Return what was seen, for `--json`."""
        board = self.board
        return {
            "incidents": {
                "opened": board.opened,
                "resolved": board.resolved,
                "by_alert_type": board.by_alert_type,
                "related": board.related,
            },
            "cause": board.cause,
            "pagerduty": {"triggers": self.stand_in.triggers, "resolves": self.stand_in.resolves},
            "latency_ms": board.latency_ms,
            "samples": board.samples,
        }

    def farewell(self) -> str:
        """Return the same in a sentence."""
        board, stand_in = self.board, self.stand_in
        return (
            f"The demo is over after {board.samples:,} samples. Incidents: {board.opened}"
            f" opened, {board.resolved} resolved. The stand-in received {stand_in.triggers}"
            f" {'trigger' if stand_in.triggers == 1 else 'triggers'} and {stand_in.resolves}"
            f" {'resolve' if stand_in.resolves == 1 else 'resolves'}."
        )
