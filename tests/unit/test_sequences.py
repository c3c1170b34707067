from __future__ import annotations

import json

import pytest

from playwatch.core.sequences import SequenceTracker


def admitted(tracker: SequenceTracker, numbers: list[int]) -> list[int]:
    return [number for number in numbers if tracker.admit("edge", number)]


def test_a_number_is_admitted_once() -> None:
    tracker = SequenceTracker()

    assert admitted(tracker, [7, 8, 8, 9, 7, 9]) == [7, 8, 9]
    assert tracker.gaps == 0


def test_sources_are_counted_apart() -> None:
    tracker = SequenceTracker()

    assert tracker.admit("one", 5)
    assert tracker.admit("two", 5)
    assert not tracker.admit("one", 5)


def test_messages_that_overtook_each_other_are_no_gap() -> None:
    tracker = SequenceTracker(window=16, patience=4)

    assert admitted(tracker, [1, 3, 2, 6, 5, 4, *range(7, 40)]) == [
        *(1, 3, 2, 6, 5, 4),
        *range(7, 40),
    ]
    assert tracker.gaps == 0


def test_a_number_is_a_gap_once_patience_has_passed() -> None:
    tracker = SequenceTracker(window=16, patience=4)

    admitted(tracker, [1, 2, 4, 5, 6])
    assert tracker.gaps == 0
    admitted(tracker, [7])
    assert tracker.gaps == 1


def test_a_number_that_comes_after_it_was_counted_is_admitted_and_stays_counted() -> None:
    tracker = SequenceTracker(window=16, patience=4)
    admitted(tracker, [1, 3, 4, 5, 6, 7])

    assert admitted(tracker, [2, 2]) == [2]
    admitted(tracker, list(range(8, 40)))
    assert tracker.gaps == 1


@pytest.mark.parametrize("jump", [5, 15, 16, 17, 1000, 10**18])
def test_a_jump_counts_every_number_it_skipped(jump: int) -> None:
    tracker = SequenceTracker(window=16, patience=4)

    admitted(tracker, [1, 1 + jump])
    admitted(tracker, [1 + jump + step for step in range(1, 20)])

    assert tracker.gaps == jump - 1


def test_gaps_are_told_once_by_source() -> None:
    tracker = SequenceTracker(window=16, patience=4)
    for source, step in (("a", 1), ("b", 2), ("c", 3)):
        for number in range(0, 30, step):
            tracker.admit(source, number)

    told = tracker.take_gaps()
    assert set(told) == {"b", "c"}
    assert told["c"] > told["b"]
    assert sum(told.values()) == tracker.gaps
    assert tracker.take_gaps() == {}


def test_numbers_before_the_first_one_heard_are_no_gaps() -> None:
    tracker = SequenceTracker(window=16, patience=4)

    assert admitted(tracker, [100, 99, *range(101, 140)]) == [100, 99, *range(101, 140)]
    assert tracker.gaps == 0


def test_zero_starts_over() -> None:
    tracker = SequenceTracker()

    assert admitted(tracker, [0, 1, 2, 0, 1, 2]) == [0, 1, 2, 0, 1, 2]
    assert tracker.gaps == 0


def test_zero_directly_after_zero_is_a_repeat() -> None:
    assert admitted(SequenceTracker(), [0, 0]) == [0]


def test_starting_over_counts_what_was_still_awaited() -> None:
    tracker = SequenceTracker()

    admitted(tracker, [1, 2, 5, 0])

    assert tracker.gaps == 2


def test_a_number_behind_the_window_starts_over() -> None:
    tracker = SequenceTracker(window=16, patience=4)

    assert admitted(tracker, [1000, 1, 2, 2]) == [1000, 1, 2]
    assert tracker.gaps == 0


def test_the_source_least_recently_heard_of_is_forgotten() -> None:
    tracker = SequenceTracker(limit=2)
    for source in ("a", "b", "a", "c"):
        tracker.admit(source, 1)

    assert len(tracker) == 2
    assert not tracker.admit("a", 1)
    assert tracker.admit("b", 1)


def test_state_survives_json() -> None:
    tracker = SequenceTracker(window=128, patience=4)
    admitted(tracker, [1, 2, 4, 90, 91])
    tracker.admit("other", 2**63 - 1)
    restored = SequenceTracker(window=128, patience=4)

    restored.restore(json.loads(json.dumps(tracker.state())))

    assert restored.state() == tracker.state()
    assert admitted(restored, [2, 3, 4, 90, 92]) == [3, 92]
    assert not restored.admit("other", 2**63 - 1)


def test_a_state_that_is_none_replaces_nothing() -> None:
    tracker = SequenceTracker()
    admitted(tracker, [1])

    with pytest.raises(ValueError, match="state"):
        tracker.restore(json.loads('[["edge", 1, 1, null]]'))
    with pytest.raises(ValueError, match="xyz"):
        tracker.restore([("edge", 1, 1, "xyz")])
    assert not tracker.admit("edge", 1)


def test_patience_fits_into_the_window() -> None:
    with pytest.raises(ValueError, match="patience"):
        SequenceTracker(window=16, patience=16)
