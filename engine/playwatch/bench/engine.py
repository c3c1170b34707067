"""The engine of a bench: the console script, as its users run it."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from playwatch.bench.child import Child, free_port
from playwatch.bench.samples import METRIC

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CONFIG: Final = """\
mqtt:
  {{{mqtt}, subscriptions: [{{topic: "playwatch/samples/#", qos: 1}},
   {{topic: "playwatch/packed/#", qos: 1, codec: packed}}]}}
store: {{path: playwatch.db}}
web: {{listen: "127.0.0.1:{web}"}}
anomalies: []
rules:
  - {{name: failures, metric: {metric}, by: [video_title], window: 1s, trigger: "> 5"}}
channels:
  - {{name: oncall, service: pagerduty, integration_key: {key}, url: "{events}",
     rate_limit: none, self_alerts: false}}
"""
_KEY: Final = "benchbenchbenchbenchbenchbench00"
_ASK_TIMEOUT_S: Final = 10.0
_RECEIVED: Final = "playwatch_samples_received_total"
_CPU: Final = "process_cpu_seconds_total"


class BenchEngine:
    """A running engine, and what it tells about itself."""

    def __init__(self, child: Child, web_url: str) -> None:
        self._child = child
        self._web_url = web_url

    async def progress(self) -> tuple[int, float | None]:
        """Return the samples counted and the processor seconds used since its start.

        The seconds are None where the system does not tell.

        Raises
        ------
        BenchError
            If the engine does not answer.
        """
        try:
            text = await asyncio.to_thread(_read, f"{self._web_url}/metrics")
        except OSError:
            self._child.fail("does not answer")
        return round(sum(metric(text, _RECEIVED))), next(iter(metric(text, _CPU)), None)

    def fail(self, what: str) -> NoReturn:
        """Raise `BenchError`: what the engine did, and its last words."""
        self._child.fail(what)


@asynccontextmanager
async def engine(folder: Path, mqtt: str, events: str) -> AsyncIterator[BenchEngine]:
    """Run an engine until it is no longer needed; it is subscribed on entering.

    Parameters
    ----------
    folder
        For its configuration and its store.
    mqtt
        Its settings of the broker.
    events
        Where its pages go.

    Raises
    ------
    BenchError
        If it does not start.
    """
    port = free_port()
    config = folder / "playwatch.yaml"
    config.write_text(_CONFIG.format(mqtt=mqtt, web=port, metric=METRIC, key=_KEY, events=events))
    async with Child("the engine", (*_command(), "run", "-c", str(config))) as child:
        await child.says("subscribed")
        yield BenchEngine(child, f"http://127.0.0.1:{port}")


def metric(text: str, name: str) -> list[float]:
    """Return the values of a metric in Prometheus's text format, one per set of labels."""
    lines = (line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))
    return [float(line.rpartition(" ")[2]) for line in lines]


def _command() -> tuple[str, ...]:
    """Return how to call the playwatch that this is."""
    script = Path(sys.executable).with_name("playwatch")
    return (str(script),) if script.is_file() else (sys.executable, "-m", "playwatch")


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=_ASK_TIMEOUT_S) as answer:  # noqa: S310 - our own
        text: str = answer.read().decode()
        return text
