"""Keys that a source names once and then speaks of by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.codecs import CODECS
from playwatch.codecs.packed_writer import encode, name_of
from playwatch.core.intake import Intake
from playwatch.core.key_tables import KeyTables
from playwatch.core.metrics import Catalogue
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable

if TYPE_CHECKING:
    from playwatch.core.intaken import Intaken

NOW = 1_800_000_000_000
FAILURES = "playback_failure_percentage"
KEYS = [(FAILURES, {"country": "DE"}), (FAILURES, {"country": "FR"})]
OTHERS = [(FAILURES, {"country": "SE"}), (FAILURES, {"country": "NO"})]
BAD = [(FAILURES, {"country": "DE"}), ("no_such_metric", {}), (FAILURES, {"": "x"})]


class Reader:
    """Decodes payloads, each as one read."""

    def __init__(self, tables: KeyTables | None = None, **limits: Any) -> None:  # noqa: ANN401 - any limit
        self.series = SeriesTable(**limits)
        self.tables = KeyTables() if tables is None else tables
        self.intake = Intake(Catalogue(), self.series, SequenceTracker(), tables=self.tables)

    def read(self, payload: bytes, codec: str = "packed") -> Intaken:
        self.intake.begin(Instant(NOW, 0))
        self.intake.message("topic", codec)
        CODECS[codec](payload, self.intake)
        return self.intake.finish()

    def seen(self, payload: bytes) -> list[tuple[str, float]]:
        batch = self.read(payload).batch
        countries = [self.series.dimensions(row)[0][1] for row in batch.series.tolist()]
        return list(zip(countries, batch.value.tolist(), strict=True))


def announcing(
    keys: list[tuple[str, dict[str, str]]], table: str = "t", source: str = "edge"
) -> bytes:
    return encode(keys, source=source, table=table)


def about(*values: float, table: str = "t", source: str = "edge", **more: Any) -> bytes:  # noqa: ANN401 - any field
    return encode(None, np.array(values), source=source, table=table, **more)


def reasons(intaken: Intaken) -> list[tuple[str, int | None]]:
    return [(one.reason.value, one.offset) for one in intaken.rejections]


@pytest.mark.parametrize("codec", ["packed", "packed_keys"])
def test_samples_are_of_the_keys_that_were_announced(codec: str) -> None:
    reader = Reader()
    announced = reader.read(announcing(KEYS), codec)

    assert (len(announced.batch), announced.rejections) == (0, ())
    assert reader.seen(about(1.0, 2.0)) == [("DE", 1.0), ("FR", 2.0)]
    assert reader.seen(about(3.0, key=np.array([1], np.uint32))) == [("FR", 3.0)]
    assert reader.seen(about(4.0)) == [("DE", 4.0)]


def test_samples_may_come_with_the_announcement() -> None:
    reader = Reader()

    assert reader.seen(encode(KEYS, np.array([1.0, 2.0]), source="edge", table="t")) == [
        ("DE", 1.0),
        ("FR", 2.0),
    ]
    assert reader.seen(about(3.0)) == [("DE", 3.0)]


def test_a_table_nobody_announced_is_refused_with_what_to_do() -> None:
    (one,) = Reader().read(about(1.0, 2.0)).rejections

    assert (one.reason.value, one.offset) == ("unknown_table", None)
    assert "'t' of 'edge'" in one.detail
    assert "announce its keys" in one.detail


def test_a_message_refused_for_want_of_its_table_may_come_again() -> None:
    reader = Reader()
    reader.read(about(1.0, seq=7))
    reader.read(announcing(KEYS))

    assert reader.seen(about(1.0, seq=7)) == [("DE", 1.0)]
    assert reader.seen(about(1.0, seq=7)) == []


def test_tables_of_one_name_are_each_of_their_source() -> None:
    reader = Reader()
    reader.read(announcing(KEYS, source="a"))
    reader.read(announcing(OTHERS, source="b"))

    assert reader.seen(about(1.0, source="a")) == [("DE", 1.0)]
    assert reader.seen(about(1.0, source="b")) == [("SE", 1.0)]
    assert reasons(reader.read(about(1.0, source="c"))) == [("unknown_table", None)]


def test_the_last_announcement_of_a_name_holds() -> None:
    reader = Reader()
    for keys in (KEYS, OTHERS):
        reader.read(announcing(keys))

    assert reader.seen(about(1.0)) == [("SE", 1.0)]
    assert len(reader.tables) == 1


def test_an_announcement_that_cannot_be_read_leaves_the_table_as_it_was() -> None:
    reader = Reader()
    reader.read(announcing(KEYS))
    broken = encode([], source="edge", table="t").replace(b"\x90", b"\xa1x")

    assert [reason for reason, _ in reasons(reader.read(broken))] == ["wrong_type"]
    assert reader.seen(about(1.0)) == [("DE", 1.0)]


def test_of_a_retained_message_only_the_keys_are_read() -> None:
    reader = Reader()
    retained = encode(KEYS, np.array([9.0, 9.0]), source="edge", table="t", seq=5)
    old = reader.read(retained, "packed_keys")

    assert len(old.batch) == 0
    assert dict(old.heard) == {}
    assert reader.seen(about(1.0, seq=4)) == [("DE", 1.0)]
    for payload in (encode(KEYS, np.array([1.0])), about(1.0)):
        nothing = reader.read(payload, "packed_keys")
        assert (len(nothing.batch), nothing.rejections) == (0, ())


def test_a_bad_key_costs_its_own_samples_each_time_and_is_told_when_announced() -> None:
    reader = Reader()

    assert reasons(reader.read(announcing(BAD))) == [("unknown_metric", 1), ("bad_dimension", 2)]
    for _ in range(2):
        intaken = reader.read(about(1.0, 2.0, 3.0))
        assert intaken.batch.value.tolist() == [1.0]
        assert reasons(intaken) == [("unknown_metric", 1), ("bad_dimension", 2)]
    picked = reader.read(about(1.0, 2.0, key=np.array([2, 0], np.uint32)))
    assert reasons(picked) == [("bad_dimension", 0)]


def test_a_key_refused_for_want_of_room_is_asked_again_with_each_announcement() -> None:
    tables = KeyTables()
    crowded = Reader(tables, limit=1)
    crowded.read(announcing(KEYS))
    assert reasons(crowded.read(about(1.0, 2.0))) == [("series_limit", 1)]

    roomy = Reader(tables)
    roomy.series.intern(Catalogue().id_of(FAILURES) or 0, b"country\x1fDE")
    assert reasons(roomy.read(announcing(KEYS))) == []
    assert roomy.seen(about(1.0, 2.0)) == [("DE", 1.0), ("FR", 2.0)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (encode(None, np.ones(1)), "missing_field"),
        (encode(None, np.ones(1), table="t"), "missing_field"),
        (encode(KEYS, np.ones(1), table="t"), "missing_field"),
        (encode(KEYS, table="t"), "missing_field"),
        (encode(KEYS, source="edge"), "missing_field"),
        (encode(KEYS), "missing_field"),
        (about(1.0, table=""), "wrong_type"),
        (about(1.0, table="t" * 65), "wrong_type"),
        (announcing([("views", {})] * 100_001), "too_large"),
        (about(1.0, 2.0, 3.0), "malformed"),
        (about(1.0, key=np.array([2], np.uint32)), "malformed"),
        (about(1.0, key=np.array([2**32 - 1], np.uint32)), "malformed"),
    ],
)
def test_what_says_too_little_or_too_much_is_refused_whole(payload: bytes, reason: str) -> None:
    reader = Reader()
    reader.read(announcing(KEYS))

    intaken = reader.read(payload)

    assert len(intaken.batch) == 0
    assert reasons(intaken) == [(reason, None)]


def test_a_name_stands_for_its_keys() -> None:
    assert name_of(KEYS) == name_of(list(KEYS))
    assert name_of(KEYS) != name_of(OTHERS)
    assert name_of(KEYS) != name_of(KEYS[::-1])


def test_the_table_used_least_recently_is_forgotten_first() -> None:
    reader = Reader(KeyTables(limit=2))
    for name in ("a", "b"):
        reader.read(announcing(KEYS, name))
    reader.seen(about(1.0, table="a"))
    reader.read(announcing(KEYS, "c"))

    known = [name for name in "abc" if reader.seen(about(1.0, table=name))]
    assert known == ["a", "c"]


def test_however_many_tables_are_announced_their_keys_are_bounded() -> None:
    tables = KeyTables(limit_keys=100)
    reader = Reader(tables)
    for number in range(200):
        reader.read(announcing(KEYS * (number % 20), f"{number}"))

    sizes, rows = tables.state()
    assert len(rows) <= 100
    assert sum(size for *_, size in sizes) == len(rows)


def test_tables_survive_a_restart_where_their_series_do() -> None:
    reader = Reader()
    reader.read(announcing(BAD, "bad"))
    reader.read(announcing(KEYS, "good"))
    reader.read(announcing(OTHERS, "gone"))
    sizes, saved = reader.tables.state()

    after = Reader()
    after.series.intern(0, b"another")
    number = Catalogue().id_of(FAILURES) or 0
    rows = [
        after.series.intern(number, reader.series.canonical(row)) if row < 2 else -1
        for row in range(len(reader.series))
    ]
    after.tables.restore(sizes, saved, np.array(rows, np.int32))

    assert after.seen(about(1.0, 2.0, table="good")) == [("DE", 1.0), ("FR", 2.0)]
    assert reasons(after.read(about(1.0, 2.0, 3.0, table="bad"))) == [
        ("unknown_metric", 1),
        ("bad_dimension", 2),
    ]
    assert reasons(after.read(about(1.0, table="gone"))) == [("unknown_table", None)]


def test_a_row_beyond_what_came_back_leaves_its_table_out() -> None:
    tables = KeyTables()
    tables.restore([("edge", "t", 1)], np.array([7], np.int32), np.zeros(3, np.int32))

    assert len(tables) == 0


def test_tables_that_do_not_fit_their_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        KeyTables().restore([("edge", "t", 2)], np.zeros(3, np.int32), np.zeros(3, np.int32))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_bytes_make_it_raise_or_touch_the_tables_of_others(data: st.DataObject) -> None:
    reader = Reader()
    reader.read(announcing(KEYS, source="other"))
    noise = bytearray(data.draw(st.sampled_from([announcing(KEYS), about(1.0, 2.0)])))
    for _ in range(data.draw(st.integers(1, 3))):
        noise[data.draw(st.integers(0, len(noise) - 1))] = data.draw(st.integers(0, 255))

    for codec in ("packed", "packed_keys"):
        reader.read(bytes(noise), codec)

    assert reader.seen(about(1.0, 2.0, source="other")) == [("DE", 1.0), ("FR", 2.0)]
