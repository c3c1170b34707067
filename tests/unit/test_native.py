from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from playwatch.codecs import CODECS
from playwatch.codecs.native import MAX_SAMPLES
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.refusals import Reason
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable

if TYPE_CHECKING:
    from playwatch.core.intaken import Intaken

NOW = 1_800_000_000_000
FAILURES = "playback_failure_percentage"
SAMPLE = {"metric": FAILURES, "value": 4.2}


class Reader:
    """Decodes payloads as one read and remembers the series."""

    def __init__(self) -> None:
        self.series = SeriesTable()
        self.intake = Intake(Catalogue(), self.series, SequenceTracker())

    def read(self, *payloads: object) -> Intaken:
        self.intake.begin(Instant(NOW, 0))
        for payload in payloads:
            self.intake.message("topic", "native")
            raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            CODECS["native"](raw, self.intake)
        return self.intake.finish()


def read(*payloads: object) -> Intaken:
    return Reader().read(*payloads)


def refusals(*payloads: object) -> dict[int | None, str]:
    return {one.offset: one.reason.value for one in read(*payloads).rejections}


def test_an_object_is_a_sample() -> None:
    reader = Reader()
    sample = SAMPLE | {"views": 512, "at": NOW - 7, "dimensions": {"country": "DE", "cdn": "a"}}

    batch = reader.read(sample).batch

    assert (batch.value.tolist(), batch.views.tolist()) == ([4.2], [512])
    assert batch.at.tolist() == [NOW - 7]
    assert reader.series.dimensions(int(batch.series[0])) == (("cdn", "a"), ("country", "DE"))


def test_only_metric_and_value_are_needed() -> None:
    batch = read(SAMPLE).batch

    assert (batch.views.tolist(), batch.at.tolist()) == ([1], [NOW])


@pytest.mark.parametrize("absent", [{"at": None}, {"dimensions": None}, {"source": None}])
def test_null_is_absent(absent: dict[str, None]) -> None:
    assert len(read(SAMPLE | absent).batch) == 1


def test_unknown_fields_are_ignored() -> None:
    assert len(read(SAMPLE | {"player": {"version": [1, 2]}}).batch) == 1


def test_a_real_time_key_is_read_with_hyphens() -> None:
    reader = Reader()
    batch = reader.read(SAMPLE, SAMPLE | {"metric": "playback-failure-percentage"}).batch

    assert batch.series.tolist() == [0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-15T08:00:00Z",
        "2027-01-15T09:00:00+01:00",
        "2027-01-15T08:00:00.000Z",
        "2027-01-15 08:00:00z",
    ],
)
def test_a_time_may_be_text_with_a_zone(text: str) -> None:
    assert read(SAMPLE | {"at": text}).batch.at.tolist() == [NOW]


@pytest.mark.parametrize(
    "at",
    [
        1_800_000_000,
        NOW * 1000,
        10**30,
        -5,
        1.8e12,
        True,
        "2027-01-15T08:00:00",
        "yesterday",
        "",
        [NOW],
    ],
)
def test_a_bad_time_is_refused(at: object) -> None:
    assert refusals(SAMPLE | {"at": at}) == {0: "bad_time"}


def test_seconds_and_microseconds_get_a_hint() -> None:
    seconds, micros = read([SAMPLE | {"at": NOW // 1000}, SAMPLE | {"at": NOW * 1000}]).rejections

    assert "seconds?" in seconds.detail
    assert "microseconds?" in micros.detail


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", NOW - 3_600_001])
def test_an_old_time_is_ancient(at: object) -> None:
    assert refusals(SAMPLE | {"at": at}) == {0: "ancient"}


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", NOW + 60_001])
def test_a_time_ahead_is_future(at: object) -> None:
    assert refusals(SAMPLE | {"at": at}) == {0: "future"}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "malformed"),
        (b"   ", "malformed"),
        (b"{", "malformed"),
        (b"[{},", "malformed"),
        (b'{"metric": "views", "value": 1} x', "malformed"),
        (b"\xff\xfe", "invalid_utf8"),
        (b"12.5", "wrong_type"),
        (b'"text"', "wrong_type"),
        (b"null", "wrong_type"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'{"value": NaN', "malformed"),
        (b" " * ((4 << 20) + 1), "too_large"),
        (b"[" + b"1," * MAX_SAMPLES + b"1]", "too_large"),
        (
            b'{"metric":"views","value":[' + b"1," * MAX_SAMPLES + b"1]}",
            "too_large",
        ),
    ],
)
def test_what_is_no_payload_is_refused_whole(payload: bytes, reason: str) -> None:
    assert refusals(payload) == {None: reason}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": "4.2"}, "wrong_type"),
        ({"value": None}, "wrong_type"),
        ({"value": True}, "wrong_type"),
        ({"value": {}}, "wrong_type"),
        ({"value": float("nan")}, "not_finite"),
        ({"value": float("-inf")}, "not_finite"),
        ({"value": 10**400}, "not_finite"),
        ({"value": 100.5}, "out_of_range"),
        ({"metric": 5}, "wrong_type"),
        ({"metric": [FAILURES]}, "wrong_type"),
        ({"metric": ""}, "unknown_metric"),
        ({"metric": "nonsense"}, "unknown_metric"),
        ({"views": "5"}, "wrong_type"),
        ({"views": 5.5}, "wrong_type"),
        ({"views": None}, "wrong_type"),
        ({"views": -1}, "out_of_range"),
        ({"views": 10**30}, "out_of_range"),
        ({"dimensions": "DE"}, "bad_dimension"),
        ({"dimensions": {"country": {"code": "DE"}}}, "bad_dimension"),
        ({"dimensions": {"country": ""}}, "bad_dimension"),
        ({"dimensions": {"country": float("nan")}}, "bad_dimension"),
        ({"dimensions": {"country": 10**400}}, "bad_dimension"),
        ({"seq": -1, "source": "edge"}, "wrong_type"),
        ({"seq": 10**30, "source": "edge"}, "wrong_type"),
        ({"seq": "1", "source": "edge"}, "wrong_type"),
        ({"seq": 1, "source": ""}, "wrong_type"),
        ({"seq": 1, "source": "s" * 257}, "wrong_type"),
    ],
)
def test_one_bad_sample_spares_those_beside_it(change: dict[str, object], reason: str) -> None:
    bad = SAMPLE | change

    intaken = read([SAMPLE, bad, SAMPLE])

    assert [(one.offset, one.reason) for one in intaken.rejections] == [(1, Reason(reason))]
    assert len(intaken.batch) == 2
    assert intaken.received == {"native": 3}
    assert refusals(bad) == {0: reason}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b'{"value":1}', "missing_field"),
        (b'{"metric":"views"}', "missing_field"),
        (b"{}", "missing_field"),
        (b"[]", "wrong_type"),
        (b"5", "wrong_type"),
        (b'{"metric":"views","value":1e999}', "not_finite"),
        (b'{"metric":"views","value":-Infinity}', "not_finite"),
        (b'{"metric":"vi\xffews","value":1}', "invalid_utf8"),
        (b'{"metric":"views","value":1,"dimensions":{"a":"\xff"}}', "invalid_utf8"),
        (b'{"metric":"\\ud800","value":1}', "unknown_metric"),
        (b'{"metric":"views","value":1,"at":NaN}', "bad_time"),
    ],
)
def test_a_bad_item_has_its_own_reason(item: bytes, reason: str) -> None:
    intaken = read(b'[{"metric":"views","value":1},' + item + b"]")

    assert [(one.offset, one.reason) for one in intaken.rejections] == [(1, Reason(reason))]
    assert len(intaken.batch) == 1


def test_a_missing_field_is_named() -> None:
    assert read({"value": 1}).rejections[0].detail == "metric is missing"


def test_a_literal_inside_a_text_stays_text() -> None:
    reader = Reader()
    payload = b'[{"metric":"views","value":1,"dimensions":{"a":"\\"NaN\\\\"}},{"value":NaN}]'

    batch = reader.read(payload).batch

    assert reader.series.dimensions(int(batch.series[0])) == (("a", '"NaN\\'),)


def test_half_an_emoji_is_replaced() -> None:
    reader = Reader()
    title = {"a": "cut \ud83d", "b": "\ude00", "c": "\\ud83d", "d": "whole \U0001f600"}

    one = reader.read(SAMPLE | {"dimensions": title}).batch
    listed = reader.read([SAMPLE, SAMPLE | {"dimensions": title}]).batch

    assert dict(reader.series.dimensions(int(one.series[0]))) == {
        "a": "cut \ufffd",
        "b": "\ufffd",
        "c": "\\ud83d",
        "d": "whole \U0001f600",
    }
    assert listed.series[1] == one.series[0]


def test_columns_are_samples() -> None:
    reader = Reader()
    columns = {
        "metric": [FAILURES, "views", FAILURES],
        "value": [1, 2, 3.5],
        "views": [10, 20, 30],
        "at": [NOW - 1, None, "2027-01-15T08:00:00Z"],
        "dimensions": [{"country": "DE"}, {}, {"country": "US"}],
    }

    batch = reader.read(columns).batch

    assert batch.value.tolist() == [1.0, 2.0, 3.5]
    assert batch.views.tolist() == [10, 20, 30]
    assert batch.at.tolist() == [NOW - 1, NOW, NOW]
    names = [dict(reader.series.dimensions(row)) for row in batch.series.tolist()]
    assert names == [{"country": "DE"}, {}, {"country": "US"}]


def test_one_value_stands_for_a_whole_column() -> None:
    reader = Reader()
    columns = {
        "metric": FAILURES,
        "value": [1, 2],
        "views": 7,
        "at": "2027-01-15T08:00:00Z",
        "dimensions": {"country": "DE"},
    }

    batch = reader.read(columns).batch

    assert batch.series.tolist() == [0, 0]
    assert batch.views.tolist() == [7, 7]
    assert batch.at.tolist() == [NOW, NOW]


def test_a_column_of_dimensions_met_before_has_the_same_rows() -> None:
    reader = Reader()
    columns = {"metric": FAILURES, "value": [1, 2], "dimensions": [{"a": "x"}, {"a": "y"}]}

    first = reader.read(columns).batch
    second = reader.read(columns).batch

    assert first.series.tolist() == second.series.tolist() == [0, 1]
    assert refusals(columns, columns | {"value": [1, 2, 3]}) == {None: "malformed"}


def test_empty_columns_and_lists_are_nothing() -> None:
    intaken = read([], {"metric": FAILURES, "value": []})

    assert len(intaken.batch) == 0
    assert not intaken.rejected


@pytest.mark.parametrize("name", ["metric", "views", "at", "dimensions"])
def test_columns_have_one_length(name: str) -> None:
    item = {"metric": FAILURES, "views": 1, "at": NOW, "dimensions": {}}[name]
    columns = SAMPLE | {"value": [1, 2], name: [item] * 3}

    assert refusals(columns) == {None: "malformed"}
    assert refusals(columns | {"value": [1, "x"]}) == {None: "malformed"}


@pytest.mark.parametrize(
    ("name", "item", "reason"),
    [
        ("value", "x", "wrong_type"),
        ("value", float("nan"), "not_finite"),
        ("value", 101, "out_of_range"),
        ("metric", "nonsense", "unknown_metric"),
        ("metric", 5, "wrong_type"),
        ("views", -1, "out_of_range"),
        ("at", NOW // 1000, "bad_time"),
        ("at", NOW + 70_000, "future"),
        ("dimensions", {"a": ""}, "bad_dimension"),
        ("dimensions", 5, "bad_dimension"),
    ],
)
def test_a_bad_element_spares_its_columns(name: str, item: object, reason: str) -> None:
    columns: dict[str, list[object]] = {
        "metric": [FAILURES] * 3,
        "value": [1, 2, 3],
        "views": [1] * 3,
        "at": [NOW] * 3,
        "dimensions": [{}] * 3,
    }
    columns[name] = [columns[name][0], item, columns[name][2]]

    intaken = read(columns)

    assert [(one.offset, one.reason) for one in intaken.rejections] == [(1, Reason(reason))]
    assert len(intaken.batch) == 2
    assert intaken.received == {"native": 3}


def test_a_repeated_message_is_dropped() -> None:
    numbered = SAMPLE | {"source": "edge", "seq": 5}

    intaken = read(numbered, numbered, numbered | {"value": [1, 2]}, [numbered])

    assert len(intaken.batch) == 1
    assert intaken.repeated == 4
    assert intaken.received == {"native": 5}


def test_a_list_whose_items_carry_the_number_of_their_message_is_kept() -> None:
    numbered = SAMPLE | {"source": "edge", "seq": 5}
    reader = Reader()

    assert len(reader.read([numbered, numbered]).batch) == 2
    assert reader.read([numbered, numbered]).repeated == 2


def test_a_refused_sample_is_no_gap() -> None:
    reader = Reader()
    messages = [SAMPLE | {"source": "edge", "seq": seq} for seq in range(200)]
    messages[50]["value"] = "x"
    messages[51]["metric"] = "nonsense"

    assert reader.read(*messages).gaps == 0


def test_half_a_number_is_no_number() -> None:
    assert len(read(SAMPLE | {"seq": 1}, SAMPLE | {"seq": 1}, SAMPLE | {"source": "a"}).batch) == 3


def test_the_series_limit_refuses_new_series_only() -> None:
    series = SeriesTable(limit=1)
    intake = Intake(Catalogue(), series, SequenceTracker())
    intake.begin(Instant(NOW, 0))
    intake.message("topic", "native")
    items = [SAMPLE | {"dimensions": {"viewer": name}} for name in ("a", "b", "a")]

    CODECS["native"](json.dumps(items).encode(), intake)
    intaken = intake.finish()

    assert len(intaken.batch) == 2
    (rejection,) = intaken.rejections
    assert (rejection.offset, rejection.reason) == (1, Reason.SERIES_LIMIT)
    assert FAILURES in rejection.detail
    assert "'viewer'" in rejection.detail


def test_a_number_in_a_dimension_is_its_text() -> None:
    reader = Reader()
    texts = [
        SAMPLE | {"dimensions": {"asn": asn, "live": live}}
        for asn, live in ((5, True), ("5", "true"))
    ]

    assert reader.read(texts).batch.series.tolist() == [0, 0]


def test_details_hold_no_control_characters() -> None:
    (rejection,) = read(SAMPLE | {"metric": "\x1b[31m" + "x" * 500}).rejections

    assert rejection.detail.isprintable()
    assert len(rejection.detail) <= 120
