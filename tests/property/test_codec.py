from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playwatch.codecs import CODECS
from playwatch.core.intake import Intake
from playwatch.core.metrics import Catalogue
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.core.intaken import Intaken

NOW = 1_800_000_000_000
KEYS = ["playback_failure_percentage", "views", "video_startup_time", "rebuffer_score"]

Seen = tuple[str, tuple[tuple[str, str], ...], int, float, int]
Item = dict[str, Any]


class Reader:
    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.series = SeriesTable()
        self.intake = Intake(self.catalogue, self.series, SequenceTracker())

    def read(self, payloads: list[bytes]) -> Intaken:
        self.intake.begin(Instant(NOW, 0))
        for payload in payloads:
            self.intake.message("topic", "native")
            CODECS["native"](payload, self.intake)
        return self.intake.finish()

    def seen(self, intaken: Intaken) -> list[Seen]:
        batch = intaken.batch
        columns = (batch.series, batch.at, batch.value, batch.views)
        return [
            (
                self.catalogue[int(self.series.metric[row])].key,
                self.series.dimensions(row),
                at,
                value,
                views,
            )
            for row, at, value, views in zip(*(c.tolist() for c in columns), strict=True)
        ]


def encoded(payload: object) -> bytes:
    return json.dumps(payload).encode()


def rfc3339(at: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).isoformat()


words = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)
dimensions = st.dictionaries(words, words, max_size=3)
good_items = st.fixed_dictionaries(
    {
        "metric": st.sampled_from(KEYS),
        "value": st.floats(0, 100),
        "views": st.integers(0, 10**12),
        "at": st.integers(NOW - 3_600_000, NOW + 60_000),
        "dimensions": dimensions,
    }
)
wild_items = st.fixed_dictionaries(
    {
        "metric": st.sampled_from([*KEYS, "nonsense"]),
        "value": st.floats() | st.floats(-10, 110),
        "views": st.integers(-2, 10),
        "at": st.integers(NOW - 4_000_000, NOW + 100_000) | st.just(NOW // 1000),
        "dimensions": st.dictionaries(words, words | st.just(""), max_size=2),
    }
)


def columnar(items: list[Item]) -> Item:
    return {name: [item[name] for item in items] for name in items[0]}


@settings(deadline=None)
@given(st.lists(good_items, min_size=1, max_size=8))
def test_every_form_decodes_to_the_samples_that_were_encoded(items: list[Item]) -> None:
    expected = [
        (
            item["metric"],
            tuple(sorted(item["dimensions"].items())),
            item["at"],
            item["value"],
            item["views"],
        )
        for item in items
    ]
    as_text = [item | {"at": rfc3339(item["at"])} for item in items]
    forms = [
        [encoded(item) for item in items],
        [encoded(item) for item in as_text],
        [encoded(items)],
        [encoded(as_text)],
        [encoded(columnar(items))],
        [encoded(columnar(as_text))],
        [json.dumps(items, ensure_ascii=False, indent=1).encode()],
    ]
    reader = Reader()
    for form in forms:
        intaken = reader.read(form)

        assert reader.seen(intaken) == expected
        assert intaken.received == {"native": len(items)}
        assert not intaken.rejected


@settings(deadline=None)
@given(st.lists(good_items, min_size=1, max_size=12), st.data())
def test_reads_may_be_split_anywhere(items: list[Item], data: st.DataObject) -> None:
    payloads = [encoded(item) for item in items]
    cut = data.draw(st.integers(0, len(payloads)))
    whole, split = Reader(), Reader()

    at_once = whole.read(payloads).batch
    parts = [split.read(payloads[:cut]).batch, split.read(payloads[cut:]).batch]

    for name in ("series", "at", "value", "views"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tolist() == getattr(at_once, name).tolist()


def slow_verdict(item: Item) -> str | None:
    """Return why one sample is refused, field after field; None when it is taken."""
    if math.isnan(item["value"]) or math.isinf(item["value"]):
        first = "not_finite"
    elif item["views"] < 0:
        first = "out_of_range"
    elif item["at"] < 10**10:
        first = "bad_time"
    elif item["metric"] not in KEYS:
        first = "unknown_metric"
    elif "" in item["dimensions"].values():
        first = "bad_dimension"
    else:
        has_end = item["metric"] in {"playback_failure_percentage", "rebuffer_score"}
        if item["value"] < 0 or (has_end and item["value"] > 100):
            first = "out_of_range"
        elif item["at"] > NOW + 60_000:
            first = "future"
        elif item["at"] < NOW - 3_600_000:
            first = "ancient"
        else:
            return None
    return first


@settings(max_examples=200, deadline=None)
@given(st.lists(wild_items, min_size=1, max_size=8))
def test_samples_are_judged_as_one_by_one(items: list[Item]) -> None:
    verdicts = [slow_verdict(item) for item in items]
    expected = {offset: reason for offset, reason in enumerate(verdicts) if reason is not None}
    taken = [item["value"] for item, reason in zip(items, verdicts, strict=True) if reason is None]

    for payload in (items, columnar(items)):
        intaken = Reader().read([encoded(payload)])

        assert {one.offset: one.reason.value for one in intaken.rejections} == expected
        assert intaken.batch.value.tolist() == taken
        assert sum(intaken.rejected.values()) == len(expected)
        assert intaken.received == {"native": len(items)}
    for item, reason in zip(items, verdicts, strict=True):
        (rejected,) = Reader().read([encoded(item)]).rejected or [None]
        assert rejected == reason


def is_sound(reader: Reader, intaken: Intaken) -> bool:
    """Return whether a batch keeps what `SampleBatch` promises."""
    batch = intaken.batch
    return bool(
        len(batch.series) == len(batch.at) == len(batch.value) == len(batch.views)
        and np.isfinite(batch.value).all()
        and (batch.views >= 0).all()
        and (batch.series >= 0).all()
        and (batch.series < len(reader.series)).all()
        and all(one.detail.isprintable() and len(one.detail) <= 120 for one in intaken.rejections)
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = ("metric", "value", "views", "at", "dimensions", "source", "seq")
near_samples = st.dictionaries(
    st.sampled_from(fields),
    json_values
    | st.sampled_from([*KEYS, 1, NOW, [1, 2], [KEYS[0], KEYS[1]], {}, [{}, {}], "edge"]),
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b"[" * 5000)
@example(b'{"metric":"views","value":1,"dimensions":' + b"[" * 990 + b"]" * 990 + b"}")
@example(b'{"metric":"views","value":1,"dimensions":{"a":' + b"[" * 980 + b"]" * 980 + b"}}")
@example(b'{"metric":"views","value":[1],"dimensions":[' + b"[" * 975 + b"]" * 975 + b"]}")
@example(b'[{"metric":"views","value":"' + b'\\"' * 1000)
@example(b'{"metric":"views","value":1' + b"0" * 5000 + b"}")
@example(b'{"metric":"views","value":1,"views":1' + b"0" * 5000 + b"}")
def test_no_bytes_make_it_raise(payload: bytes) -> None:
    reader = Reader()

    assert is_sound(reader, reader.read([payload]))


@settings(max_examples=300, deadline=None)
@given(json_values | near_samples | st.lists(near_samples, max_size=3))
def test_no_json_makes_it_raise(payload: object) -> None:
    reader = Reader()

    assert is_sound(reader, reader.read([encoded(payload)]))


@settings(max_examples=300, deadline=None)
@given(st.lists(good_items, min_size=1, max_size=3), st.sampled_from([list, columnar]), st.data())
def test_no_damage_makes_it_raise(
    items: list[Item], form: Callable[[list[Item]], object], data: st.DataObject
) -> None:
    payload = bytearray(encoded(form(items)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        payload = payload or bytearray(b" ")
    reader = Reader()

    assert is_sound(reader, reader.read([bytes(payload)]))


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=60))
def test_sequences_are_remembered_as_a_plain_set_would(numbers: list[int]) -> None:
    tracker = SequenceTracker(window=64, patience=63)
    seen: set[int] = set()
    for number in numbers:
        if number == 0 and seen != {0}:
            seen.clear()
        is_new = number not in seen
        seen.add(number)

        assert tracker.admit("edge", number) is is_new


@settings(deadline=None)
@given(st.permutations(range(1, 30)), st.sets(st.integers(2, 29), max_size=10))
def test_gaps_are_the_numbers_that_never_came(order: list[int], lost: set[int]) -> None:
    tracker = SequenceTracker(window=64, patience=63)
    came = [number for number in order if number not in lost]
    for number in [1, *came, *range(30, 200)]:
        tracker.admit("edge", number)

    assert tracker.gaps == len(lost)
