"""The demo's rules over its simulated audience, and the show in this process."""

from __future__ import annotations

import asyncio
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from playwatch.codecs.native import decode
from playwatch.config.anomalies import everything_watched
from playwatch.config.load import load_config
from playwatch.core.incidents import Change
from playwatch.core.intake import Intake
from playwatch.core.pipeline import Pipeline
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.demo.audience import FIRST_S, PERIOD_S, Audience, FaultKind
from playwatch.demo.show import show
from playwatch.demo.stream import TOPIC, history, payloads

if TYPE_CHECKING:
    from playwatch.config.schema import Settings

BEGAN_AT = 1_800_000_000_000
ENVIRON = {
    "PAGERDUTY_KEY": "0" * 32,
    "ANOMALY_KEY": "1" * 32,
    "PAGERDUTY_URL": "http://127.0.0.1:1/v2/enqueue",
    "PLAYWATCH_TOKEN": "only-for-this-show",
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    file = resources.files("playwatch.demo").joinpath("demo.yaml")
    return load_config(Path(str(file)), environ=ENVIRON)


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_fault_opens_and_resolves_one_incident_and_nothing_else_does(
    settings: Settings, seed: int
) -> None:
    """Three periods: one fault of each kind; the first is an anomaly, with its cause."""
    catalogue, series, sequences = settings.catalogue(), SeriesTable(1000), SequenceTracker()
    pipeline = Pipeline(catalogue, series, everything_watched(settings), [], "installation")
    intake = Intake(catalogue, series, sequences)
    audience = Audience(seed)
    turns = []
    for second in range(FIRST_S + 3 * PERIOD_S):
        now = Instant(BEGAN_AT + second * 1000, second * 1000)
        intake.begin(now)
        messages = [] if second else [history(audience, BEGAN_AT)]
        for payload in [*messages, *payloads(audience.sample(second), now.at)]:
            intake.message(TOPIC, "native")
            decode(payload, intake)
        intaken = intake.finish()
        assert not intaken.rejected
        for step in (pipeline.take(intaken.batch, now), pipeline.tick(now)):
            turns += [(second, *turn) for turn in step.turns if not turn[1].related_to]

    for number, kind in enumerate(FaultKind):
        mine = [(second, change) for second, change, one in turns if one.rule == kind.value]
        assert [change for _, change in mine] == [Change.OPENED, Change.RESOLVED]
        assert mine[0][0] // PERIOD_S == number
    assert len(turns) == 2 * len(FaultKind)
    anomaly, fault = turns[0][2], audience.fault(FIRST_S)
    assert fault is not None
    (cause,) = anomaly.causes
    where = dict(anomaly.breakdowns) | dict(cause.breakdowns)
    assert where == {"country": fault.country, "cdn": fault.cdn}
    assert turns[0][0] <= FIRST_S + 1


async def test_a_show_that_is_stopped_early_is_no_success_when_one_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop = asyncio.Event()
    stop.set()

    assert await show(stop, once=True, seed=1, as_json=True) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["incidents"]["opened"] == 0
    assert captured.err.splitlines()[-1] == (
        "playwatch: no incident opened and resolved before the demo was stopped"
    )
