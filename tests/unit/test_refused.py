from __future__ import annotations

import logging
from collections import Counter

import pytest

from playwatch.core.intaken import Intaken
from playwatch.core.refusals import Reason, Rejection
from playwatch.core.samples import Instant, SampleBatch
from playwatch.runtime.refused import LINES, PERIOD_S, RefusalLog
from tests.stage import START

SHOWN = 20


@pytest.fixture(autouse=True)
def _listen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "playwatch.refused")


def a_read(**counts: int) -> Intaken:
    """Return what one read refused, as many for each reason; 20 of them in detail."""
    rejected = Counter({Reason(name): count for name, count in counts.items()})
    rejections = [
        Rejection.at(reason, "site/a", number, f"sample {number} is wrong")
        for reason, count in rejected.items()
        for number in range(count)
    ]
    return Intaken(SampleBatch.of(), {}, rejected, tuple(rejections[:SHOWN]), 0, 0)


def at(seconds: float) -> Instant:
    return Instant(START, round(seconds * 1000))


def test_a_refusal_tells_reason_topic_place_and_what_was_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    RefusalLog().note(a_read(out_of_range=1), at(100))

    assert caplog.messages == ["out_of_range: site/a sample 0: sample 0 is wrong"]


def test_a_message_refused_as_a_whole_names_no_sample(caplog: pytest.LogCaptureFixture) -> None:
    rejection = Rejection.at(Reason.MALFORMED, "site/a", None, "not JSON")
    intaken = Intaken(SampleBatch.of(), {}, {Reason.MALFORMED: 1}, (rejection,), 0, 0)

    RefusalLog().note(intaken, at(100))

    assert caplog.messages == ["malformed: site/a: not JSON"]


def test_each_reason_has_its_own_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    refusals = RefusalLog()

    for _ in range(50):
        refusals.note(a_read(future=8, ancient=8), at(100))

    told = Counter(message.partition(":")[0] for message in caplog.messages)
    assert told == {"future": LINES, "ancient": LINES}


def test_the_next_period_begins_with_the_sum_of_what_was_kept_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = RefusalLog()
    refusals.note(a_read(future=1_000, ancient=LINES), at(100))
    refusals.note(a_read(malformed=LINES + 1), at(100 + PERIOD_S - 0.001))
    caplog.clear()

    refusals.note(a_read(future=1), at(100 + PERIOD_S))

    assert caplog.messages == [
        "refused besides in the last period: 995 future, 5 ancient, 1 malformed",
        "future: site/a sample 0: sample 0 is wrong",
    ]


def test_a_period_in_which_all_was_told_has_no_sum(caplog: pytest.LogCaptureFixture) -> None:
    refusals = RefusalLog()
    refusals.note(a_read(future=LINES), at(100))
    caplog.clear()

    refusals.note(a_read(future=1), at(200))

    assert len(caplog.messages) == 1


def test_a_long_flood_costs_a_bounded_number_of_lines(caplog: pytest.LogCaptureFixture) -> None:
    refusals = RefusalLog()

    for tenth in range(600):
        refusals.note(a_read(future=20), at(100 + tenth / 10))

    periods = 60 / PERIOD_S
    assert len(caplog.messages) <= (LINES + 1) * (periods + 1)
