"""A restart without a gap in the stream leaves no trace; garbage never raises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.streams import SEEDS, long_streams, play, rules
from tests.stage import FAILURES, VIEWERS, Stage, a_rule

if TYPE_CHECKING:
    from playwatch.core.rules import Rule


def news(stage: Stage) -> list[tuple[object, ...]]:
    return [
        (
            word,
            one.rule,
            one.breakdowns,
            one.severity,
            one.started_at,
            one.opened_at,
            one.resolved_at,
            one.ended_at,
            # An incident of silence has no peak, and not-a-number equals nothing.
            None if math.isnan(one.peak_value) else one.peak_value,
        )
        for word, one in stage.log
        if word != "corrected"  # a restart forgets which decisions late data could reach
    ]


@settings(deadline=None, max_examples=25)
@given(st.data(), rules())
def test_a_restart_without_a_gap_leaves_no_trace(
    data: st.DataObject, its_rules: list[Rule]
) -> None:
    """Stopped and started within an instant, a heartbeat of every series on both sides."""
    past = data.draw(long_streams(its_rules, SEEDS))
    future = data.draw(long_streams(its_rules, SEEDS))
    straight, restarted = Stage(*its_rules), Stage(*its_rules)
    for stage in (straight, restarted):
        play(stage, past)
        stage.sleep(61)
        heartbeat(stage)
    assert restarted.restart() == []
    for stage in (straight, restarted):
        heartbeat(stage)
        play(stage, future)

    assert restarted.refused == []
    assert news(restarted) == news(straight)
    assert {one.id for one in restarted.deliveries} == {one.id for one in straight.deliveries}


def heartbeat(stage: Stage) -> None:
    """Let every series speak at this moment."""
    keys = [stage.catalogue[int(number)].key for number in stage.series.metric]
    stage.send_batch(
        [
            (keys[row], dict(stage.series.dimensions(row)), stage.at, 1.0, 5)
            for row in range(len(stage.series))
        ]
    )


@settings(deadline=None, max_examples=40)
@given(st.data(), rules(), st.floats(0, 7200))
def test_a_restart_never_ends_or_opens_anything_by_itself(
    data: st.DataObject, its_rules: list[Rule], away_s: float
) -> None:
    stage = Stage(*its_rules)
    play(stage, data.draw(long_streams(its_rules, SEEDS)))
    before = {one.id for one in stage.pipeline.open_incidents}

    assert stage.restart(away_s=away_s) == []
    assert {one.id for one in stage.pipeline.open_incidents} == before


@settings(deadline=None, max_examples=40)
@given(st.data(), rules())
def test_a_snapshot_taken_twice_is_the_same(data: st.DataObject, its_rules: list[Rule]) -> None:
    stage = Stage(*its_rules)
    play(stage, data.draw(long_streams(its_rules, SEEDS)))
    stage.restart()
    first = {name: len(body) for name, body in stage.snapshot()[0].items()}
    stage.restart()

    assert {name: len(body) for name, body in stage.snapshot()[0].items()} == first


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_damaged_snapshot_never_raises(data: st.DataObject) -> None:
    """Whatever byte is wrong, the engine starts and judges."""
    stage = Stage(a_rule("> 5"), a_rule("> 5", name="viewers", metric=VIEWERS))
    stage.send(9, cdn="a")
    stage.send(9, metric=VIEWERS, cdn="a")
    parts, taken_at = stage.snapshot()
    name = data.draw(st.sampled_from(sorted(parts)))
    body = bytearray(parts[name])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.none(), st.integers(0, len(body))))

    stage.restart(snapshot=({**parts, name: bytes(body[:end])}, taken_at))

    stage.send(1, cdn="b")
    stage.tick()
    assert stage.is_open


def test_damage_is_told() -> None:
    stage = Stage(a_rule("> 5", metric=FAILURES))
    parts, taken_at = stage.snapshot()

    stage.restart(snapshot=({name: body[:-9] for name, body in parts.items()}, taken_at))

    assert [words.split(":")[0] for words in stage.refused] == [
        "series",
        "sequences",
        "rule/failures",
    ]
