from __future__ import annotations

import numpy as np
import pytest

from playwatch.core.intake import REFUSED, Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.refusals import Reason, Refused, Rejection
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.core.spellings import Spellings, clean_dimensions

NOW = 1_800_000_000_000
FAILURES = "playback_failure_percentage"


@pytest.fixture
def intake() -> Intake:
    made = Intake(Catalogue(), SeriesTable(limit=2), SequenceTracker())
    made.begin(Instant(NOW, 0))
    made.message("first", "native")
    return made


def row(intake: Intake, country: str = "DE", metric: str = FAILURES) -> int:
    return intake.spellings.learn(metric, country.encode(), {"country": country})


def test_nothing_makes_an_empty_batch(intake: Intake) -> None:
    intaken = intake.finish()

    assert len(intaken.batch) == 0
    assert not intaken.received
    assert not intaken.rejected


def test_samples_keep_the_order_in_which_they_came(intake: Intake) -> None:
    de, us = row(intake), row(intake, "US")
    intake.add(de, NOW - 5, 1.0, 10)
    columns = np.array([us, de], np.int32)
    intake.add_columns(columns, NOW - 4, np.array([2.0, 3.0]), np.array([20, 30]))
    intake.add_columns(columns, np.array([NOW - 3, NOW - 2]), np.array([4.0, 5.0]), 1)
    intake.add(us, NOW - 1, 6.0, 60)

    batch = intake.finish().batch

    assert batch.series.tolist() == [de, us, de, us, de, us]
    assert batch.value.tolist() == [1, 2, 3, 4, 5, 6]
    assert batch.views.tolist() == [10, 20, 30, 1, 1, 60]
    assert (NOW - batch.at).tolist() == [5, 4, 4, 3, 2, 1]


def test_a_sample_without_time_has_that_of_its_arrival(intake: Intake) -> None:
    intake.add(row(intake), None, 1.0, 1)
    intake.add_columns(np.array([0], np.int32), None, np.array([1.0]), 1)

    assert intake.finish().batch.at.tolist() == [NOW, NOW]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0.0, None),
        (100.0, None),
        (100.1, Reason.OUT_OF_RANGE),
        (-0.1, Reason.OUT_OF_RANGE),
        (float("nan"), Reason.NOT_FINITE),
        (float("inf"), Reason.NOT_FINITE),
        (float("-inf"), Reason.NOT_FINITE),
    ],
)
def test_a_value_is_finite_and_in_the_range_of_its_metric(
    intake: Intake, value: float, reason: Reason | None
) -> None:
    intake.add(row(intake), NOW, value, 1)

    intaken = intake.finish()

    assert intaken.rejected == ({} if reason is None else {reason: 1})
    assert len(intaken.batch) == (reason is None)


def test_infinity_is_out_even_where_the_range_has_no_end(intake: Intake) -> None:
    intake.add(row(intake, metric="video_startup_time"), NOW, float("inf"), 1)

    assert intake.finish().rejected == {Reason.NOT_FINITE: 1}


@pytest.mark.parametrize(
    ("ahead_ms", "reason"),
    [
        (60_000, None),
        (60_001, Reason.FUTURE),
        (-3_600_000, None),
        (-3_600_001, Reason.ANCIENT),
    ],
)
def test_a_time_is_near_the_arrival(intake: Intake, ahead_ms: int, reason: Reason | None) -> None:
    intake.add(row(intake), NOW + ahead_ms, 1.0, 1)

    assert intake.finish().rejected == ({} if reason is None else {reason: 1})


def test_a_rejection_names_topic_and_offset(intake: Intake) -> None:
    intake.add(row(intake), NOW, 1.0, 1)
    intake.message("second", "native")
    intake.reject(Refused(Reason.WRONG_TYPE, "value: a text"))
    intake.add(0, NOW, 1.0, 1)
    intake.add(0, NOW, 101.0, 1)
    intake.message("third", "native")
    intake.add_columns(np.array([0, REFUSED, 0], np.int32), NOW, np.array([1.0, 0, -1]), 1)
    intake.refuse(Refused(Reason.BAD_DIMENSION, "country"), 1)
    intake.message("fourth", "native")
    intake.refuse(Refused(Reason.MALFORMED, "no JSON"))

    intaken = intake.finish()

    places = {(one.topic, one.offset): one.reason for one in intaken.rejections}
    assert places == {
        ("second", 0): Reason.WRONG_TYPE,
        ("second", 2): Reason.OUT_OF_RANGE,
        ("third", 1): Reason.BAD_DIMENSION,
        ("third", 2): Reason.OUT_OF_RANGE,
        ("fourth", None): Reason.MALFORMED,
    }
    assert len(intaken.batch) == 3
    assert intaken.received == {"native": 7}


def test_samples_are_counted_by_codec(intake: Intake) -> None:
    intake.add(row(intake), NOW, 1.0, 1)
    intake.message("second", "other")
    intake.reject(Refused(Reason.WRONG_TYPE, ""))
    intake.reject(Refused(Reason.WRONG_TYPE, ""))
    intake.message("third", "native")
    intake.add(0, NOW, 1.0, 1)

    assert intake.finish().received == {"native": 2, "other": 2}


def test_two_codecs_may_write_the_same_bytes(intake: Intake) -> None:
    de = intake.spellings.learn(FAILURES, b"x", {"country": "DE"})
    intake.message("second", "other")

    assert intake.spellings.find(FAILURES, b"x") is None
    assert intake.spellings.learn(FAILURES, b"x", {"country": "US"}) != de


def test_all_rejections_are_counted_and_twenty_told(intake: Intake) -> None:
    de = row(intake)
    for _ in range(15):
        intake.reject(Refused(Reason.WRONG_TYPE, ""))
    for _ in range(15):
        intake.add(de, NOW, 101.0, 1)

    intaken = intake.finish()

    assert intaken.rejected == {Reason.WRONG_TYPE: 15, Reason.OUT_OF_RANGE: 15}
    assert len(intaken.rejections) == 20


def test_a_repeat_is_dropped_and_counted(intake: Intake) -> None:
    assert intake.admit("edge", 1)
    intake.add(row(intake), NOW, 1.0, 1)
    intake.message("second", "native")
    assert not intake.admit("edge", 1, samples=3)

    intaken = intake.finish()

    assert (len(intaken.batch), intaken.repeated) == (1, 3)
    assert intaken.received == {"native": 4}
    assert not intaken.rejected


def test_gaps_are_those_of_this_read(intake: Intake) -> None:
    for seq in (1, 100, 200):
        intake.message("topic", "native")
        intake.admit("edge", seq)

    assert intake.finish().gaps == 134
    intake.message("topic", "native")
    intake.admit("edge", 264)
    assert intake.finish().gaps == 63


def test_a_read_starts_empty(intake: Intake) -> None:
    intake.reject(Refused(Reason.WRONG_TYPE, ""))
    intake.finish()
    intake.begin(Instant(NOW + 5, 5))
    intake.message("topic", "native")
    intake.add(row(intake), None, 1.0, 1)

    intaken = intake.finish()

    assert intaken.batch.at.tolist() == [NOW + 5]
    assert intaken.received == {"native": 1}
    assert intaken.rejections == ()


def test_texts_of_a_rejection_are_safe_to_print() -> None:
    made = Rejection.at(Reason.WRONG_TYPE, "a\nb", 0, "\x1b[31m\u202e\ud800" + "x" * 500)

    assert made.topic == "a\\nb"
    assert made.detail.startswith("\\x1b[31m\\u202e\\ud800xxx")
    assert len(made.detail) == 120
    assert made.detail.isprintable()


def test_the_series_limit_names_metric_and_dimension(intake: Intake) -> None:
    row(intake)
    row(intake, "US")

    with pytest.raises(Refused) as caught:
        row(intake, "FR")

    assert caught.value.reason is Reason.SERIES_LIMIT
    assert FAILURES in caught.value.detail
    assert "'country'" in caught.value.detail
    assert row(intake, "DE") == 0


def test_an_unknown_metric_comes_with_a_suggestion(intake: Intake) -> None:
    with pytest.raises(Refused, match=f"did you mean {FAILURES}") as caught:
        row(intake, metric="playback_failure_percent")

    assert caught.value.reason is Reason.UNKNOWN_METRIC


def test_spellings_of_one_series_share_its_row() -> None:
    spellings = Spellings(Catalogue(), SeriesTable(), limit=2)
    first = spellings.learn(FAILURES, b"1", {"cdn": "a", "country": "DE"})

    assert spellings.learn(FAILURES, b"2", {"country": "DE", "cdn": "a"}) == first
    assert spellings.learn(FAILURES.replace("_", "-"), b"1", {"cdn": "a", "country": "DE"}) == first
    assert spellings.find(FAILURES.replace("_", "-"), b"1") == first


def test_spellings_are_forgotten_rather_than_without_end() -> None:
    series = SeriesTable()
    spellings = Spellings(Catalogue(), series, limit=2)
    for number in range(3):
        spellings.learn(FAILURES, b"%d" % number, {"country": str(number)})

    assert [spellings.find(FAILURES, b"%d" % number) for number in range(3)] == [None, None, 2]
    assert spellings.learn(FAILURES, b"0", {"country": "0"}) == 0


def test_columns_are_told_apart_even_when_their_ends_agree() -> None:
    spellings = Spellings(Catalogue(), SeriesTable())
    end = b"x" * 300
    spellings.learn_column(FAILURES, end + b"1" + end, np.array([1], np.int32))

    assert spellings.find_column(FAILURES, end + b"2" + end) is None
    found = spellings.find_column(FAILURES, end + b"1" + end)
    assert found is not None
    assert found.tolist() == [1]
    assert spellings.find_column("views", end + b"1" + end) is None


def test_dimensions_become_text() -> None:
    given = {"a": "x", "b": 5, "c": 1.5, "d": True, "e": False, "f": None}

    assert clean_dimensions(given) == {
        "a": "x",
        "b": "5",
        "c": "1.5",
        "d": "true",
        "e": "false",
    }


@pytest.mark.parametrize(
    "dimensions",
    [
        {"": "x"},
        {"n" * 65: "x"},
        {"a\n": "x"},
        {"a": ""},
        {"a": "v" * 257},
        {"a": "\x1f"},
        {"a\x1e": "x"},
        {"a": "\x85"},
        {"a": ["x"]},
        {str(number): "x" for number in range(33)},
    ],
)
def test_a_bad_dimension_is_refused(dimensions: dict[str, object]) -> None:
    with pytest.raises(Refused) as caught:
        clean_dimensions(dimensions)

    assert caught.value.reason is Reason.BAD_DIMENSION


def test_a_dimension_that_no_bytes_can_hold_is_refused(intake: Intake) -> None:
    with pytest.raises(Refused) as caught:
        intake.spellings.learn(FAILURES, b"x", {"country": "\ud800"})

    assert caught.value.reason is Reason.BAD_DIMENSION


def test_the_longest_dimensions_are_taken() -> None:
    longest: dict[str, object] = {f"{number:064}": "ü" * 256 for number in range(32)}

    assert clean_dimensions(longest) == longest


def test_every_topic_of_a_read_is_told_with_the_sources_named_there(intake: Intake) -> None:
    intake.hear("edge-1")
    intake.message("second", "native")
    intake.message("first", "native")
    intake.hear("edge-2")

    assert {topic: sorted(s) for topic, s in intake.finish().heard.items()} == {
        "first": ["edge-1", "edge-2"],
        "second": [],
    }
    assert intake.finish().heard == {}
