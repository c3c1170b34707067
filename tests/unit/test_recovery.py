"""When a group that was anomalous is normal again."""

from __future__ import annotations

import numpy as np

from playwatch.core.group_facts import GroupFacts
from playwatch.core.recovery import LEAST_INTERVALS, settle
from playwatch_models.classes import MetricClass
from playwatch_models.decision import Call, Calls
from playwatch_models.detector import Evidence, Findings, Intervals

ONE = np.zeros(1, np.int32)


class Patient:
    """One open group; 1 is normal, and the band is from 0.4 to 1.6."""

    def __init__(self, views: float = 1000.0, kind: MetricClass = MetricClass.GAUGE) -> None:
        self.views, self.kind = views, kind
        self.facts = GroupFacts()
        self.facts.reserve(1)

    def see(self, value: float, call: Call, *, is_open: bool = True) -> bool:
        """Look at a value; return whether it is over."""
        at = np.zeros(1, np.int64)
        findings = Findings(
            group=ONE,
            at=at,
            score=np.array([5.0]),
            expected=np.array([1.0]),
            low=np.array([0.4]),
            high=np.array([1.6]),
            is_upward=np.array([value > 1]),
            since_at=at,
            evidence=np.array([Evidence.BURST], np.int8),
        )
        self.calls = Calls(
            ONE,
            at,
            np.array([call], np.int8),
            np.array([5.0]),
            4.0,
            np.zeros(1, np.bool_),
            np.zeros(1),
            at,
        )
        intervals = Intervals(ONE, at, np.array([value]), np.array([self.views]))
        is_over = settle(
            self.facts, intervals, findings, self.calls, np.array([is_open]), kind=self.kind
        )
        return bool(is_over[0])

    def until_over(self, value: float, most: int = 500) -> int:
        """Return after how many such intervals it is over."""
        for number in range(1, most + 1):
            if self.see(value, Call.BREACH):
                return number
        return most + 1


def test_a_gross_fault_is_over_after_a_few_normal_intervals() -> None:
    patient = Patient()
    patient.see(20.0, Call.BREACH)

    assert patient.until_over(1.0) == LEAST_INTERVALS


def test_a_small_fault_takes_as_long_to_be_gone_as_it_took_to_be_seen() -> None:
    patient = Patient()
    for _ in range(20):
        patient.see(1.2, Call.BREACH)

    assert 30 < patient.until_over(1.0) < 100


def test_a_fault_that_fades_is_still_a_fault() -> None:
    patient = Patient()
    patient.see(50.0, Call.BREACH)

    assert patient.until_over(3.0, most=60) > 60


def test_a_few_quiet_minutes_of_a_small_group_are_no_end() -> None:
    large, small = (Patient(views, MetricClass.RATIO) for views in (100_000.0, 100.0))
    for patient in (large, small):
        patient.see(20.0, Call.BREACH)

    assert large.until_over(1.0) == LEAST_INTERVALS
    assert 10 < small.until_over(1.0) < 20


def test_old_evidence_opens_nothing_and_a_new_excursion_does() -> None:
    patient = Patient()
    patient.see(20.0, Call.BREACH)
    patient.until_over(1.0)

    patient.see(1.2, Call.BREACH, is_open=False)
    assert patient.calls.call[0] == Call.HOLD
    patient.see(20.0, Call.BREACH, is_open=False)
    assert patient.calls.call[0] == Call.BREACH


def test_once_the_evidence_is_gone_it_counts_again() -> None:
    patient = Patient()
    patient.see(20.0, Call.BREACH)
    patient.until_over(1.0)
    patient.see(1.0, Call.CLEAR, is_open=False)

    patient.see(1.2, Call.BREACH, is_open=False)
    assert patient.calls.call[0] == Call.BREACH
