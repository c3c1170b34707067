"""The history's keeper that is killed: it counts, writes minutes and makes hours of them.

What was told before the end stands in a file: minutes that were begun, and those
that were written. The next life goes on with the minute after the last begun.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.samples import Instant, SampleBatch
from playwatch.core.series import SeriesTable, canonical_dimensions
from playwatch.runtime.history import HistoryKeeper
from playwatch.runtime.readings import Readings
from playwatch.runtime.trails import MINUTE_MS
from playwatch.store.history import History
from tests.fakes import HandClock
from tests.kills.fuse import Fuse
from tests.stage import FAILURES, a_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN: Final = 29_999_998
"""The first minute: two before an hour."""
MINUTES: Final = 4
TOLD: Final = "told"
METRICS: Final = (FAILURES, "views")
COUNTRIES: Final = tuple(f"c{number}" for number in range(300))
"""So many that a minute is more than one block."""


@dataclass(frozen=True)
class Life:
    """One life of the keeper.

    Attributes
    ----------
    folder
        Holds the history and what was told.
    burns_at
        The statement to die at; 0 to live to the end.
    """

    folder: str
    burns_at: int = 0


def told(folder: Path, word: str) -> list[int]:
    """Return the minutes of which a word was told."""
    path = folder / TOLD
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.removeprefix(word)) for line in lines if line.startswith(word)]


def value_of(metric: str, minute: int, number: int) -> float:
    """Return what a series is in a minute."""
    return float((minute + number) % 7 + len(metric) % 3)


class Site:
    """A core with a keeper."""

    def __init__(self, history: History, minute: int) -> None:
        self.catalogue = Catalogue()
        rules = [a_rule(by=("country",))]
        self.pipeline = Pipeline(self.catalogue, SeriesTable(), rules, [], "here")
        self._clock = HandClock(minute * MINUTE_MS)
        readings = Readings(lambda: self.pipeline.thresholds, self._clock)
        self.keeper = HistoryKeeper(history, self, readings, self._clock, 86_400.0)

    async def minute(self) -> None:
        """Let a minute pass in which every series has two samples, and write it."""
        at, half = self._clock.wall_ms(), MINUTE_MS // 2
        for metric in METRICS:
            known = self.catalogue.id_of(metric)
            assert known is not None
            rows = [
                self.pipeline.series.intern(known, canonical_dimensions({"country": name}))
                for name in COUNTRIES
            ]
            values = [value_of(metric, at // MINUTE_MS, row) for row in range(len(rows))]
            for moment in (at, at + half):
                batch = SampleBatch.of(rows, [moment] * len(rows), values, [50] * len(rows))
                self.pipeline.take(batch, Instant(moment, self._clock.monotonic_ms()))
                assert self.pipeline.settled is not None
                self.keeper.count(self.pipeline.settled)
        await self._clock.advance(60)
        await self.keeper.flush()


async def live(life: Life) -> Sequence[str]:
    """Write the minutes that are left and make hours of them; return the statements passed."""
    folder, fuse = Path(life.folder), Fuse(life.burns_at)
    begun = told(folder, "begun ")
    first = begun[-1] + 1 if begun else BEGIN
    with (
        closing(History.open(folder / "history.db")) as history,
        (folder / TOLD).open("a", buffering=1) as out,
    ):
        history._database.set_trace_callback(lambda sql: fuse.reach(" ".join(sql[:40].split()[:3])))
        for minute in range(first, BEGIN + MINUTES):
            out.write(f"begun {minute}\n")
            await Site(history, minute).minute()
            out.write(f"written {minute}\n")
        history.compact(BEGIN + MINUTES)
    return fuse.passed
