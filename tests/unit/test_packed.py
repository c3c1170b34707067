from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from playwatch.codecs import CODECS, native
from playwatch.codecs.packed import MAX_SAMPLES
from playwatch.codecs.packed_writer import encode
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable

if TYPE_CHECKING:
    from playwatch.core.intaken import Intaken

NOW = 1_800_000_000_000
FAILURES = "playback_failure_percentage"
KEYS = [(FAILURES, {"country": "DE"}), (FAILURES, {"country": "FR"}), ("views", {})]
VALUES = np.array([4.2, 1.0, 512.0])


class Reader:
    """Decodes payloads as one read and remembers the series."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.series = SeriesTable()
        self.intake = Intake(self.catalogue, self.series, SequenceTracker(), max_bytes=1 << 20)

    def read(self, *payloads: bytes) -> Intaken:
        self.intake.begin(Instant(NOW, 0))
        for payload in payloads:
            self.intake.message("topic", "packed")
            CODECS["packed"](payload, self.intake)
        return self.intake.finish()

    def seen(self, intaken: Intaken) -> list[tuple[Any, ...]]:
        batch = intaken.batch
        columns = (batch.series, batch.at, batch.value, batch.views)
        return [
            (self.catalogue[int(self.series.metric[row])].key, self.series.dimensions(row), *rest)
            for row, *rest in zip(*(column.tolist() for column in columns), strict=True)
        ]


def read(*payloads: bytes) -> Intaken:
    return Reader().read(*payloads)


def message(**changes: object) -> bytes:
    """Return a good message with some fields replaced, or left out for None."""
    fields = msgpack.decode(encode(KEYS, VALUES)) | changes
    return msgpack.encode({name: field for name, field in fields.items() if field is not None})


def refusal(payload: bytes) -> tuple[str, str]:
    intaken = read(payload)
    assert len(intaken.batch) == 0
    (one,) = intaken.rejections
    return one.reason.value, one.detail


def test_one_sample_for_each_key_is_the_short_form() -> None:
    reader = Reader()

    seen = reader.seen(reader.read(encode(KEYS, VALUES, at=NOW - 5, views=7)))

    assert seen == [
        (FAILURES, (("country", "DE"),), NOW - 5, 4.2, 7),
        (FAILURES, (("country", "FR"),), NOW - 5, 1.0, 7),
        ("views", (), NOW - 5, 512.0, 7),
    ]


def test_samples_may_come_in_any_order_of_keys_with_columns_of_their_own() -> None:
    reader = Reader()
    payload = encode(
        KEYS,
        np.array([1.0, 2.0]),
        key=np.array([1, 1], np.uint32),
        at=np.array([NOW - 2, NOW - 1]),
        views=np.array([3, 4]),
    )

    assert [one[1:] for one in reader.seen(reader.read(payload))] == [
        ((("country", "FR"),), NOW - 2, 1.0, 3),
        ((("country", "FR"),), NOW - 1, 2.0, 4),
    ]


def test_without_a_time_samples_are_of_their_arrival_and_of_one_view() -> None:
    batch = read(encode(KEYS, VALUES)).batch

    assert batch.at.tolist() == [NOW] * 3
    assert batch.views.tolist() == [1] * 3


def test_a_table_of_keys_is_read_once() -> None:
    reader = Reader()
    first = reader.read(encode(KEYS, VALUES)).batch
    second = reader.read(encode(KEYS, VALUES + 1)).batch

    assert second.series.tolist() == first.series.tolist()
    assert len(reader.series) == len(KEYS)


def test_a_repeated_number_is_dropped_whole() -> None:
    payload = encode(KEYS, VALUES, source="edge-1", seq=4)
    intaken = read(payload, payload)

    assert len(intaken.batch) == 3
    assert intaken.repeated == 3
    assert intaken.heard == {"topic": ["edge-1"]}


def test_a_bad_key_costs_only_its_own_samples() -> None:
    reader = Reader()
    keys = [*KEYS, ("no_such_metric", {})]
    intaken = reader.read(encode(keys, np.array([1.0, 2.0, 3.0, 4.0])))

    assert len(intaken.batch) == 3
    assert [(one.reason.value, one.offset) for one in intaken.rejections] == [("unknown_metric", 3)]


def test_a_value_that_is_no_number_and_views_below_zero_cost_only_their_own_sample() -> None:
    intaken = read(
        encode(KEYS, np.array([np.nan, 101.0, 5.0]), views=np.array([1, 1, -1])),
    )

    assert len(intaken.batch) == 0
    assert sorted((one.reason.value, one.offset) for one in intaken.rejections) == [
        ("not_finite", 0),
        ("out_of_range", 1),
        ("out_of_range", 2),
    ]


@pytest.mark.parametrize(
    ("payload", "reason", "words"),
    [
        (b"", "malformed", ""),
        (b"\xc1", "malformed", ""),
        (b"{}", "wrong_type", ""),
        (b"\x91" * 5000, "wrong_type", ""),
        (message(value=None), "missing_field", "value"),
        (message(keys=None), "missing_field", "keys"),
        (message(value=b"1234567"), "malformed", "7 bytes"),
        (message(value=[1.0]), "wrong_type", ""),
        (message(at=b"12345678"), "malformed", "3 times 8"),
        (message(at=1_800_000_000), "bad_time", "seconds?"),
        (message(key=b"\x09\0\0\0" * 3), "malformed", "key 9 of 3 keys"),
        (message(keys=[]), "malformed", "of 0 keys"),
        (message(keys="x"), "wrong_type", "keys"),
        (message(views=-1), "wrong_type", ""),
        (message(value=b"\0" * 8 * (MAX_SAMPLES + 1)), "too_large", "100001 samples"),
        (b"\0" * ((1 << 20) + 1), "too_large", "bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_whole_with_its_reason(
    payload: bytes, reason: str, words: str
) -> None:
    got, detail = refusal(payload)

    assert got == reason
    assert words in detail


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300), st.integers(0, 120), st.integers(0, 255))
def test_no_bytes_make_it_raise_or_are_lost_without_a_word(
    noise: bytes, place: int, byte: int
) -> None:
    good = bytearray(message())
    good[place % len(good)] = byte

    for payload in (noise, bytes(good)):
        intaken = read(payload)
        assert len(intaken.batch) + sum(intaken.rejected.values()) > 0


_KEYS = st.lists(
    st.tuples(
        st.sampled_from([FAILURES, "views", "video_startup_time"]),
        st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])),
    ),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=100)
@given(_KEYS, st.data())
def test_it_says_the_same_as_the_native_format(
    keys: list[tuple[str, dict[str, str]]], data: st.DataObject
) -> None:
    which = data.draw(st.lists(st.integers(0, len(keys) - 1), max_size=8))
    values = [float(n) for n in data.draw(st.lists(st.integers(0, 100), min_size=len(which)))]
    packed, plain = Reader(), Reader()
    n = len(which)
    seen = packed.seen(
        packed.read(
            encode(
                keys,
                np.array(values[:n]),
                key=np.array(which, np.uint32),
                at=np.full(n, NOW - 3),
                views=np.arange(n),
            )
        )
    )
    plain.intake.begin(Instant(NOW, 0))
    plain.intake.message("topic", "native")
    samples = [
        {
            "metric": keys[key][0],
            "dimensions": keys[key][1],
            "value": values[offset],
            "views": offset,
            "at": NOW - 3,
        }
        for offset, key in enumerate(which)
    ]
    native.decode(json.dumps(samples).encode(), plain.intake)

    assert seen == plain.seen(plain.intake.finish())


MANY = [(FAILURES, {"title": f"t{number}"}) for number in range(30)]


def test_keys_in_the_same_bytes_are_known_again_whatever_else_a_message_says() -> None:
    reader = Reader()
    for _ in range(3):  # read, met again, recognised
        reader.read(encode(MANY, np.ones(30)))

    seen = reader.seen(
        reader.read(
            encode(MANY, np.array([7.0]), key=np.array([29], np.uint32), at=NOW - 1, views=5)
        )
    )
    assert seen == [(FAILURES, (("title", "t29"),), NOW - 1, 7.0, 5)]
    numbered = encode(MANY, np.ones(30), source="edge", seq=1)
    assert [len(reader.read(numbered).batch) for _ in range(2)] == [30, 0]
    assert len(reader.series) == len(MANY)


def test_keys_that_differ_at_their_end_are_other_keys() -> None:
    reader = Reader()
    others = [*MANY[:-1], (FAILURES, {"title": "t-other"})]
    for _ in range(3):
        for keys in (MANY, others, MANY[:-1], [*MANY, MANY[0]]):
            seen = reader.seen(reader.read(encode(keys, np.ones(len(keys)))))
            assert [dict(dimensions) for _, dimensions, *_ in seen] == [names for _, names in keys]


def test_known_keys_may_announce_a_table() -> None:
    reader = Reader()
    for _ in range(3):
        reader.read(encode(MANY, np.ones(30)))
    reader.read(encode(MANY, np.ones(30), source="edge", table="t"))

    about = encode(None, np.array([3.0]), source="edge", table="t")
    assert reader.seen(reader.read(about))[0][1] == (("title", "t0"),)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 200), st.integers(0, 255), st.booleans())
def test_a_reader_that_knows_the_keys_says_what_one_says_that_does_not(
    place: int,
    byte: int,
    from_the_end: bool,  # noqa: FBT001 - drawn
) -> None:
    knows = Reader()
    for _ in range(3):
        knows.read(encode(MANY, np.ones(30), source="edge"))
    noisy = bytearray(encode(MANY, np.ones(30), source="edge"))
    noisy[-1 - place if from_the_end else place] = byte

    fresh = Reader()
    fresh.read(encode(MANY, np.ones(30), source="edge"))
    found, expected = knows.read(bytes(noisy)), fresh.read(bytes(noisy))

    assert knows.seen(found) == fresh.seen(expected)
    assert found.rejections == expected.rejections
    assert found.heard == expected.heard
