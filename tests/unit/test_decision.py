"""When findings become pages, and how many of them chance brings."""

from __future__ import annotations

import numpy as np
import pytest

from playwatch_models.calibration import WEEK_S, Budget, ChanceTail, Worth
from playwatch_models.decision import Call, Calls, Decider
from playwatch_models.detector import Evidence, Findings

MINUTE = 60_000
START = 1_767_600_000_000


def found(minute: int, *scores: float, evidence: Evidence = Evidence.BURST) -> Findings:
    n = len(scores)
    at = np.full(n, START + minute * MINUTE)
    return Findings(
        group=np.arange(n, dtype=np.int32),
        at=at,
        score=np.array(scores, float),
        expected=np.ones(n),
        low=np.zeros(n),
        high=np.full(n, 2.0),
        is_upward=np.ones(n, bool),
        since_at=at - MINUTE,
        evidence=np.full(n, evidence, np.int8),
    )


def deciding(groups: int = 1, *, pages: float = 1.0, min_affected: float = 0.0) -> Decider:
    decider = Decider(Budget(pages), 60.0, min_affected=min_affected)
    decider.resize(groups)
    return decider


def calls(decider: Decider, *scores: float, first: int = 0) -> list[int]:
    return [int(decider.decide(found(first + i, s)).call[0]) for i, s in enumerate(scores)]


def test_strong_evidence_opens_at_once() -> None:
    assert calls(deciding(), 0.0, 6.0) == [Call.CLEAR, Call.BREACH]


def test_weak_evidence_adds_up() -> None:
    said = calls(deciding(), *[3.5] * 60)

    assert said[0] == Call.HOLD
    assert said[-1] == Call.BREACH


def test_evidence_that_comes_and_goes_does_not_add_up() -> None:
    assert Call.BREACH not in calls(deciding(), *[2.5, 0.0, 0.0] * 20)


def test_an_end_waits_for_calm() -> None:
    said = calls(deciding(), 8.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    assert said == [Call.BREACH, *[Call.HOLD] * 7, Call.CLEAR]


def test_a_second_breach_within_the_gap_is_the_same_incident() -> None:
    decider = deciding()
    calls(decider, 8.0, *[0.0] * 20)
    soon = decider.decide(found(21, 8.0))
    calls(decider, *[0.0] * 30, first=22)
    late = decider.decide(found(200, 8.0))

    assert soon.is_reopening[0]
    assert not late.is_reopening[0]


def test_the_end_after_a_reopening_waits_longer() -> None:
    decider = deciding()
    calls(decider, 8.0, *[0.0] * 10)
    said = calls(decider, 8.0, *[0.0] * 10, first=11)

    assert said.index(Call.CLEAR) == 10


@pytest.mark.parametrize("evidence", [Evidence.FEW_VIEWS, Evidence.LEARNING, Evidence.OTHER_UNIT])
def test_what_was_not_judged_is_held(evidence: Evidence) -> None:
    decider = deciding()
    calls(decider, 8.0)
    for minute in range(1, 100):
        held = decider.decide(found(minute, 0.0, evidence=evidence))

        assert held.call[0] == Call.HOLD
        assert decider.is_open(np.array([0], np.int32))[0]


def test_trifles_stay_quiet_until_enough_views_are_affected() -> None:
    decider = deciding(min_affected=12)
    said = [
        int(decider.decide(found(minute, 8.0), excess=np.array([3.0])).call[0])
        for minute in range(5)
    ]

    assert said == [Call.HOLD] * 3 + [Call.BREACH] * 2


def test_the_impact_is_counted_from_the_first_sign() -> None:
    decider = deciding()
    for minute, extra in enumerate((3.0, 50.0, 40.0)):
        last = decider.decide(found(minute, 8.0), excess=np.array([extra]))

        assert last.since_at[0] == START - MINUTE
    assert decider.preview(found(3, 8.0), excess=np.array([7.0])).affected[0] == 100


def test_a_preview_keeps_nothing() -> None:
    decider = deciding()
    before = decider.columns()
    shown = decider.preview(found(0, 9.0), excess=np.array([5.0]))

    assert shown.call[0] == Call.BREACH
    for name, column in decider.columns().items():
        np.testing.assert_array_equal(column, before[name])


def test_more_groups_need_rarer_evidence() -> None:
    few, many = deciding(10), deciding(100_000)
    few.decide(found(0, *[0.0] * 10))
    many.decide(found(0, *[0.0] * 100_000))

    assert many.level - few.level == pytest.approx(4.0)


def test_groups_whose_intervals_close_one_after_the_other_are_as_many() -> None:
    together, apart = deciding(1000), deciding(1000)
    for minute in range(5):
        whole = found(minute, *[0.0] * 1000)
        together.decide(whole)
        for part in np.split(np.arange(1000), 50):
            columns = (getattr(whole, name)[part] for name in Findings.__slots__)
            apart.decide(Findings(*columns))
    for decider in (together, apart):
        decider.spend(100)
        decider.decide(found(1000, 0.0))

    assert apart.level == pytest.approx(together.level, abs=0.01)


def test_a_backlog_makes_no_more_groups_of_them() -> None:
    decider = deciding(10)
    decider.decide(found(60, *[0.0] * 10))
    before = decider.level
    for minute in range(60):
        decider.decide(found(minute, *[0.0] * 10))

    assert decider.level == before


def test_a_budget_is_a_count_of_chances() -> None:
    assert Budget(1.0).level(1, 60.0) == pytest.approx(np.log10(WEEK_S / 60))
    assert Budget(10.0).level(1000, 60.0) == pytest.approx(np.log10(100 * WEEK_S / 60))


def test_an_overspent_budget_asks_for_more() -> None:
    decider = deciding(pages=2.0)
    calls(decider, 0.0)
    before = decider.level
    decider.spend(4)
    assert decider.level == pytest.approx(before)
    decider.spend(36)

    assert decider.level == pytest.approx(before + 1.0, abs=0.01)


@pytest.mark.parametrize("slope", [0.6, 1.0])
def test_pages_by_chance_keep_the_budget_whatever_the_scores_promise(slope: float) -> None:
    """Scores that promise too much (slope below 1) are taken at what they were worth."""
    rng = np.random.default_rng(1)
    groups, minutes, pages = 1000, 1500, 40.0
    decider = Decider(Budget(pages, per_s=minutes * 60.0), 60.0)
    decider.resize(groups)
    opened, was_open = 0, np.zeros(groups, bool)
    for minute in range(2 * minutes):
        scores = -np.log10(rng.random(groups)) / slope
        decider.decide(found(minute, *scores))
        is_open = decider.is_open(np.arange(groups, dtype=np.int32))
        opened += int((is_open & ~was_open).sum()) * (minute >= minutes)
        was_open = is_open

    assert pages / 2.5 < opened < pages * 2.5


def test_rarity_never_falls_when_the_score_rises() -> None:
    tail = ChanceTail(60.0)
    rng = np.random.default_rng(2)
    for _ in range(50):
        tail.learn(10_000, -np.log10(rng.random(300)) / 0.7)
    rarity = tail.rarity(np.linspace(0, 20, 500))

    assert (np.diff(rarity) >= 0).all()


def test_real_incidents_hardly_move_what_chance_does() -> None:
    quiet, busy = ChanceTail(60.0), ChanceTail(60.0)
    rng = np.random.default_rng(3)
    for _ in range(100):
        peaks = 1.5 - np.log10(rng.random(30))
        quiet.learn(10_000, peaks)
        busy.learn(10_000, np.append(peaks, 40.0))

    asked = np.array([6.0])
    assert abs(quiet.rarity(asked)[0] - busy.rarity(asked)[0]) < 0.6


def test_incidents_that_recur_do_not_silence_the_next_one() -> None:
    """Few series with many incidents, of which none scores far beyond what chance does."""
    quiet, busy = ChanceTail(60.0), ChanceTail(60.0)
    rng = np.random.default_rng(4)
    for _ in range(200):
        peaks = 2.0 - np.log10(rng.random(30))
        quiet.learn(10_000, peaks)
        busy.learn(10_000, np.append(peaks, rng.uniform(3.0, 5.0, 4)))

    for rarity in (4.0, 5.0, 6.0):
        assert busy.strength(rarity) < quiet.strength(rarity) + 0.6


def test_what_scores_were_worth_elsewhere_is_believed_at_first() -> None:
    cautious = ChanceTail(60.0, Worth(0.7, 0.6))
    bold = ChanceTail(60.0)
    score = np.array([2.0, 3.5, 6.5])

    assert np.diff(bold.rarity(score)) == pytest.approx([1.5, 3.0])
    assert np.diff(cautious.rarity(score)) == pytest.approx([0.7 * 1.5, 0.6 * 3.0])


@pytest.mark.parametrize("rarity", [3.0, 5.0, 9.0])
def test_the_score_that_is_so_rare_is_so_rare(rarity: float) -> None:
    tail = ChanceTail(60.0, Worth(0.7, 0.6))
    tail.learn(100_000, np.linspace(2.0, 5.0, 400))

    assert tail.rarity(np.array([tail.strength(rarity)]))[0] == pytest.approx(rarity)


def test_a_finding_says_how_seldom_it_is() -> None:
    said = deciding().decide(found(0, 5.0))

    assert said.rarity[0] == pytest.approx(5, abs=0.02)


def test_a_snapshot_goes_on_where_it_stopped() -> None:
    one = deciding(3)
    for minute in range(50):
        one.decide(found(minute, 0.4, minute / 10, 3.0))
    other = deciding(0)
    other.restore(one.columns())

    def rest(decider: Decider) -> list[Calls]:
        return [decider.decide(found(minute, 0.0, 4.0, 2.0)) for minute in range(50, 60)]

    for first, second in zip(rest(one), rest(other), strict=True):
        np.testing.assert_array_equal(first.call, second.call)
        np.testing.assert_array_equal(first.rarity, second.rarity)


def test_a_snapshot_of_another_make_is_refused() -> None:
    columns = deciding(2).columns()
    for broken in (
        {},
        columns | {"totals": np.zeros(5)},
        columns | {"peak": np.array([np.nan, 0.0])},
        columns | {"calm": np.zeros(1, np.int32)},
        columns | {"tail": np.array([1.0, 2.0, -3.0, 4.0, 0.0, 0.0])},
    ):
        with pytest.raises(ValueError, match="column"):
            deciding(2).restore(broken)


def test_a_forgotten_group_has_no_past() -> None:
    decider = deciding(2)
    decider.decide(found(0, 9.0, 9.0))
    decider.forget(np.array([1], np.int32))

    assert list(decider.is_open(np.array([0, 1], np.int32))) == [True, False]
