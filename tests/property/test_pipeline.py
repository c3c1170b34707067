"""What holds for every stream: pages and resolves in pairs, splits without a trace."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.deliveries import Action
from playwatch.core.routing import Route
from playwatch.core.rules import AlertType, Rule
from tests.property.streams import (
    SEEDS,
    Happening,
    long_streams,
    play,
    rules,
    samples_of,
    streams,
)
from tests.stage import Stage, by_channel

ROUTES = (
    Route("all", "k1"),
    Route("thresholds", "k2", frozenset({AlertType.THRESHOLD})),
    Route("anomalies", "k3", frozenset({AlertType.ANOMALY})),
)


@settings(deadline=None, max_examples=60)
@given(st.data(), rules())
def test_every_page_has_its_resolve(data: st.DataObject, its_rules: list[Rule]) -> None:
    stage = Stage(*its_rules, routes=ROUTES)
    play(stage, data.draw(long_streams(its_rules, SEEDS)))

    messages = by_channel(stage.deliveries)
    assert {channel for _, channel in messages} <= {"all", "thresholds"}
    for (incident_id, _), sent in messages.items():
        actions = [one.action for one in sent]
        assert actions[0] is Action.TRIGGER
        assert actions.count(Action.RESOLVE) <= 1
        assert Action.RESOLVE not in actions[:-1]
        assert (actions[-1] is Action.RESOLVE) is not stage.incidents[incident_id].is_open
        assert len({one.dedup_key for one in sent}) == 1
        assert len({one.key_fingerprint for one in sent}) == 1
    assert {incident_id for incident_id, _ in messages} == set(stage.incidents)


@settings(deadline=None, max_examples=60)
@given(st.data(), rules())
def test_no_group_has_two_open_incidents(data: st.DataObject, its_rules: list[Rule]) -> None:
    stage = Stage(*its_rules)
    play(stage, data.draw(long_streams(its_rules, SEEDS)))

    open_ids: dict[str, str] = {}
    rank: dict[str, int] = defaultdict(int)
    for word, incident in stage.log:
        key = incident.incident_key
        if word == "opened":
            assert key not in open_ids
            open_ids[key] = incident.id
        assert open_ids[key] == incident.id
        if word == "rose":
            assert incident.severity > rank[key]
        # Missing data have no tier of their own: any breach raises them.
        rank[key] = -1 if incident.is_silence else incident.severity
        if word in {"resolved", "expired"}:
            assert not incident.is_open
            del open_ids[key]
    assert {incident.id for incident in stage.pipeline.open_incidents} == {*open_ids.values()}


@settings(deadline=None, max_examples=60)
@given(st.data(), rules())
def test_everything_ends_when_silence_lasts(data: st.DataObject, its_rules: list[Rule]) -> None:
    """Nothing is pinned open for ever."""
    stage = Stage(*its_rules)
    play(stage, data.draw(long_streams(its_rules, SEEDS)))
    for _ in range(20):
        stage.sleep(5 * 3600)
        stage.tick()

    assert stage.pipeline.open_incidents == []
    assert not any(len(watch.phases.active()) for watch in stage.pipeline.thresholds)


@settings(deadline=None, max_examples=100)
@given(rules(), streams(8), st.data())
def test_a_batch_split_anywhere_leaves_the_same_windows(
    its_rules: list[Rule], stream: list[Happening], data: st.DataObject
) -> None:
    """Read at the end, after the tick that forgets silent series."""
    whole, split = Stage(*its_rules, few=0), Stage(*its_rules)
    play(whole, stream)
    for happening in stream:
        split.sleep(happening.after_ms / 1000)
        if happening.samples is None:
            split.tick()
            continue
        samples = samples_of(happening, split.at)
        cut = data.draw(st.integers(0, len(samples)))
        for part in (samples[:cut], samples[cut:]):
            split.send_batch(part)

    assert _windows(split) == _windows(whole)


def _windows(stage: Stage) -> list[dict[tuple[str, ...], tuple[float, int, int]]]:
    stage.tick()
    found = []
    for watch in stage.pipeline.thresholds:
        rows = stage.row_numbers(watch)
        at = watch.windows.clocks.now(rows, stage.monotonic_ms)
        totals = watch.windows.totals(rows, at)
        found.append(
            {
                key: (float(totals.sums[i]), int(totals.views[i]), int(totals.samples[i]))
                for i, key in enumerate(watch.groups.keys)
            }
        )
    return found
