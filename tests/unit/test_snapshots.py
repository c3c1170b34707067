"""Restarts: what is kept, what waits, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from playwatch.core.deliveries import Action
from playwatch.core.routing import Route
from playwatch.core.series import SeriesTable
from playwatch.core.snapshots import restore
from tests.stage import VIEWERS, Stage, a_rule


def test_an_open_incident_survives_without_a_word() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9)

    assert stage.restart(away_s=5) == []
    assert stage.is_open
    assert stage.send(9) == []


def test_an_end_missed_while_down_is_sent_once_the_window_is_covered() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9)
    stage.restart(away_s=600)

    words = stage.report(1, times=5, every_s=10)
    assert words == []
    words = stage.report(1, times=5, every_s=10)
    assert words == ["resolved"]
    assert [one.action for one in stage.deliveries] == [Action.TRIGGER, Action.RESOLVE]


@pytest.mark.parametrize("snapshot", ["now", None])
def test_no_false_resolve_from_a_window_with_a_hole(snapshot: str | None) -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9)
    stage.restart(away_s=30, snapshot=snapshot)

    assert stage.send(1) == []
    assert stage.is_open


def test_a_series_behind_its_group_does_not_hide_the_hole() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9, cdn="fast")
    stage.wait(5)
    stage.send(9, cdn="fast")
    stage.restart(away_s=50)

    assert stage.send(0, cdn="slow", lag_s=52, views=10_000) == []
    assert stage.send(0, cdn="fast", views=10_000) == []


def test_a_short_stop_without_a_gap_in_the_stream_changes_nothing() -> None:
    stage = Stage(a_rule("> 5", window_s=10))
    stage.send(9)
    stage.sleep(12)
    stage.send(9)
    stage.restart(away_s=0.2)
    stage.sleep(0.2)
    stage.send(9)
    stage.sleep(12)

    assert stage.send(1) == ["resolved"]


def test_a_breach_counts_at_once_after_a_start() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(1)
    stage.restart(away_s=600)

    assert stage.send(9) == ["opened"]


def test_for_goes_on_over_a_short_stop() -> None:
    stage = Stage(a_rule("> 5", for_s=60))
    stage.report(9, times=4, every_s=10)
    stage.restart(away_s=1)

    assert stage.report(9, times=3, every_s=10) == ["opened"]


def test_the_opening_after_the_snapshot_is_not_repeated() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(1)
    before = stage.snapshot()
    stage.sleep(10)
    stage.send(99)
    stage.sleep(5)
    stage.restart(away_s=2, snapshot=before)

    assert stage.news == ["opened"]
    assert stage.send(99) == []


def test_an_end_after_the_snapshot_is_not_followed_by_a_second_page() -> None:
    """The snapshot still holds the bad window of an incident that has ended since."""
    stage = Stage(a_rule("> 5"))
    stage.send(9, views=100)
    before = stage.snapshot()
    stage.sleep(20)
    assert stage.send(0, views=1000) == ["resolved"]
    stage.restart(away_s=5, snapshot=before)

    assert stage.send(0, views=10) == []


def test_an_incident_of_a_vanished_group_expires_though_the_engine_restarts_daily() -> None:
    stage = Stage(a_rule("> 5", expire_after_s=86_400))
    stage.send(9)
    words = []
    for _ in range(50):
        stage.sleep(3600)
        words += stage.tick()
        words += stage.restart(away_s=10)

    assert words == ["expired"]


def test_a_rule_that_is_gone_ends_its_incident_with_the_recorded_key() -> None:
    stage = Stage(a_rule("> 5"), routes=(Route("oncall", "old-key"),))
    stage.send(9)

    words = stage.restart(a_rule("> 5", name="other"), routes=(Route("oncall", "new-key"),))

    assert words == ["closed"]
    assert stage.deliveries[-1].action is Action.RESOLVE
    assert stage.deliveries[-1].key_fingerprint == "old-key"
    assert not stage.is_open


def test_a_rule_that_watches_something_else_ends_its_incidents_and_starts_anew() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(9)

    assert stage.restart(a_rule("> 5", by=("country",))) == ["closed"]
    assert stage.incidents[stage.deliveries[0].incident_id].reason == "rule changed"
    assert len(stage.pipeline.watches[0].groups) == 0
    assert stage.send(9, country="DE") == ["opened"]


def test_other_bounds_keep_the_incident_and_judge_on() -> None:
    stage = Stage(a_rule("> 5", window_s=10))
    stage.send(9)

    assert stage.restart(a_rule("> 20", window_s=10)) == []
    stage.report(9, times=2, every_s=10)
    assert stage.send(9) == []
    assert stage.news == ["opened", "resolved"]


def test_a_channel_removed_since_gets_its_resolve_all_the_same() -> None:
    stage = Stage(a_rule("> 5", window_s=1))
    stage.send(9)
    stage.restart(routes=())
    stage.report(1, times=3, every_s=5)

    assert [one.channel for one in stage.pages(Action.RESOLVE)] == ["oncall"]


def test_a_tier_added_above_is_still_reached_after_the_restart() -> None:
    """Tiers are matched by severity, not by their place in the list."""
    stage = Stage(a_rule("> 3", warning=1, window_s=1))
    stage.send(2)
    stage.sleep(5)
    stage.send(2)
    lower = a_rule("> 90", warning=1, window_s=1)
    stage.restart(lower)
    stage.sleep(5)

    assert stage.send(2) == []
    stage.sleep(5)
    assert stage.send(99) == ["rose"]


@pytest.mark.parametrize(("before", "after"), [(None, 3.0), (3.0, None)])
def test_the_number_of_tiers_may_change(before: float | None, after: float | None) -> None:
    stage = Stage(a_rule("> 5", warning=before, window_s=1, resolve="< 2"))
    stage.send(9)

    assert stage.restart(a_rule("> 5", warning=after, window_s=1, resolve="< 2")) == []
    assert stage.refused == []
    assert stage.report(9, times=2, every_s=5) == []
    assert stage.report(1, times=2, every_s=5) == ["resolved"]


def test_a_new_incident_of_a_lower_severity_can_rise_whatever_the_snapshot_says() -> None:
    """The snapshot has a critical incident; the store has a later one, a warning."""
    stage = Stage(a_rule("> 5", warning=3, window_s=1))
    stage.send(9)
    before = stage.snapshot()
    for value in (1, 4):
        stage.sleep(3)
        stage.send(value)
    stage.restart(snapshot=before)
    stage.sleep(5)

    assert stage.send(9) == ["rose"]


def test_viewers_come_back_with_their_series() -> None:
    stage = Stage(a_rule("> 1000", metric=VIEWERS))
    stage.send(600, cdn="a")
    stage.send(300, cdn="b")
    stage.restart(away_s=1)

    assert stage.send(900, cdn="a") == ["opened"]


def test_viewers_of_series_that_cannot_come_back_are_not_counted_for_ever() -> None:
    stage = Stage(a_rule("> 1000", metric=VIEWERS))
    stage.send(2000, cdn="a")
    parts, taken_at = stage.snapshot()
    stage.restart(snapshot=({**parts, "series": b"broken"}, taken_at))
    stage.report(10, times=10, every_s=10)

    assert not stage.is_open


def test_a_lowered_limit_of_series_is_told_and_does_not_stop_the_start() -> None:
    stage = Stage(a_rule("> 5"))
    for number in range(5):
        stage.send(1, cdn=str(number))
    parts, taken_at = stage.snapshot()
    stage.restart()
    stage.pipeline.series = SeriesTable(limit=2)

    refused = restore(parts, taken_at, stage.pipeline, stage.sequences, stage.catalogue, stage.now)

    assert refused == ["series: 3 of playback_failure_percentage are beyond the limit"]


def archive(**columns: object) -> bytes:
    body = io.BytesIO()
    everything: dict[str, Any] = {name: np.asarray(column) for name, column in columns.items()}
    np.savez(body, **everything)
    return body.getvalue()


FACTS = np.frombuffer(b'{"version": 1}', np.uint8)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"garbage",
        b"PK\x03\x04",
        b"\x93NUMPY",
        archive(),
        archive(facts=FACTS),
        archive(facts=np.frombuffer(b"[1]", np.uint8)),
        archive(facts=np.frombuffer(b"{", np.uint8)),
        archive(facts=np.frombuffer(b'{"version": 99}', np.uint8)),
    ],
)
@pytest.mark.parametrize("part", ["series", "sequences", "rule/failures"])
def test_garbage_is_refused_in_words(part: str, garbage: bytes) -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(1)
    parts, taken_at = stage.snapshot()

    stage.restart(snapshot=({**parts, part: garbage}, taken_at))

    (words,) = stage.refused
    assert words.startswith(f"{part}: ")
    stage.sleep(1)
    assert stage.send(99) == ["opened"]


def test_a_plain_array_is_refused_in_words() -> None:
    stage = Stage(a_rule("> 5"))
    body = io.BytesIO()
    np.save(body, np.zeros(3))

    stage.restart(snapshot=({"series": body.getvalue()}, stage.at))

    assert len(stage.refused) == 1


def test_a_part_that_does_not_fit_leaves_its_rule_as_it_was() -> None:
    """Completely or not at all: half a window would be worse than none."""
    stage = Stage(a_rule("> 5"))
    stage.send(9)
    parts, taken_at = stage.snapshot()
    with np.load(io.BytesIO(parts["rule/failures"])) as loaded:
        columns = dict(loaded)
    columns["windows.samples"] = columns["windows.samples"][:, :3]

    stage.restart(snapshot=({**parts, "rule/failures": archive(**columns)}, taken_at))

    assert stage.refused == ["rule/failures: column samples does not fit"]
    assert stage.is_open
    assert stage.report(1, times=10, every_s=10) == ["resolved"]


def test_a_correction_of_a_sample_from_before_the_snapshot_is_taken_back_once() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(4, views=100)
    stage.restart()
    stage.send(6, views=100)

    assert stage.news == ["opened"]


def test_a_new_rule_does_not_take_back_what_it_never_counted() -> None:
    stage = Stage(a_rule("> 5"))
    stage.send(4, views=100)
    stage.restart(a_rule("> 5"), a_rule("> 5", name="new"))
    stage.send(6, views=100)

    assert stage.news == ["opened", "opened"]
    assert {incident.measured_value for _, incident in stage.log} == {6}


def test_viewers_of_series_not_yet_heard_again_are_not_missed_after_a_stop() -> None:
    stage = Stage(a_rule("< 1000", metric=VIEWERS))
    for _ in range(2):
        stage.send_batch([(VIEWERS, {"cdn": name}, stage.at, 400, 1) for name in "abc"])
        stage.wait(25)
    stage.restart(away_s=45)
    stage.wait(1)

    assert stage.send(400, cdn="a") == []


def test_a_pending_group_begins_anew_after_a_long_stop() -> None:
    """Nobody listened for an hour: whether the condition held is not known."""
    stage = Stage(a_rule("> 5", for_s=120))
    stage.send(9)
    stage.restart(away_s=3600)

    assert stage.send(9) == []
