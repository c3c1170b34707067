"""Training: what recordings teach the model, before an engine runs on it.

A model learns while it watches, so training is a replay: the learned rules see
a recording as they would have seen it live, and what they know at its end is
put into the store's snapshot, for the next start to go on from. Threshold rules
keep what the snapshot had.

Whether it was worth it is told by the last part of the recording: there the
new model has learned from all that came before and from nothing after, so what
it would have paged is what it would have paged. Beside it stands what was paged
at the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.config.anomalies import everything_watched
from playwatch.core.rules import AlertType
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.snapshots import copy_state, pack, restore
from playwatch.errors import PlaywatchError
from playwatch.runtime.backtest import Ledger
from playwatch.runtime.model_states import learned_of
from playwatch.runtime.replay import INSTALLATION, Evaluation, replayed
from playwatch_models.decision import UNJUDGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from playwatch.config.schema import Settings
    from playwatch.core.incidents import Incident
    from playwatch.runtime.replay_inputs import Replayable

COMPARED: Final = 0.25
"""The last part of the recordings, in which old and new are compared."""

_STEPS_BETWEEN: Final = 64


class TrainError(PlaywatchError):
    """Nothing can be learned, with the reason."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one learned rule has learned.

    Attributes
    ----------
    groups, judged
        How many there are, and of how many enough is known at the end.
    intervals
        Closed intervals of all its groups together.
    would_page, did_page
        Incidents in the compared part that stand for themselves: what the new
        model would have opened, and what the store says was opened then.
    """

    rule: str
    metric: str
    groups: int
    judged: int
    intervals: int
    would_page: tuple[Incident, ...]
    did_page: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """What recordings have taught.

    Attributes
    ----------
    parts, taken_at
        The snapshot to keep.
    from_at, compared_at, until_at
        Where the recordings begin, where the comparison begins, and their end.
    """

    parts: Mapping[str, bytes]
    taken_at: int
    lessons: tuple[Lesson, ...]
    from_at: int
    compared_at: int
    until_at: int
    samples: int


def train(
    inputs: Replayable,
    settings: Settings,
    saved: tuple[Mapping[str, bytes], int] | None,
    past: Iterable[Incident],
    told: Callable[[int, int], None] = lambda _, __: None,
) -> Training:
    """Return what a fresh model learns from recordings, or from kept history.

    Parameters
    ----------
    saved
        The store's newest snapshot, of which the threshold rules are kept.
    past
        Incidents that the store knows.
    told
        Called now and then with bytes read and samples evaluated.

    Raises
    ------
    TrainError
        If nothing is to be learned, or nothing was recorded.
    RecordingError
        If an input cannot be read.
    """
    rules = [one for one in everything_watched(settings) if one.alert_type is AlertType.ANOMALY]
    if not rules:
        message = "nothing is to be learned: anomalies is empty, or nothing in it is enabled"
        raise TrainError(message)
    evaluation = Evaluation(settings, inputs.installation or INSTALLATION, rules=rules)
    old, taken_at = saved if saved is not None else ({}, None)
    _keep_series(evaluation, old, taken_at or 0)
    ledger, now, from_at = Ledger(), None, None
    for number, (now, step) in enumerate(replayed(inputs, evaluation)):
        from_at = now.at if from_at is None else from_at
        if step.changes:
            ledger.note(step)
        if number % _STEPS_BETWEEN == 0:
            told(inputs.position, evaluation.samples)
    told(inputs.size, evaluation.samples)
    if now is None or from_at is None or not evaluation.samples:
        message = "there is no sample of a metric that is watched"
        raise TrainError(message)
    compared_at = round(now.at - COMPARED * (now.at - from_at))
    opened = [one.incident for one in ledger.outcomes()]
    return Training(
        _parts(evaluation, old, now, taken_at),
        now.at if taken_at is None else taken_at,
        tuple(_lessons(evaluation, opened, list(past), (compared_at, now.at))),
        from_at,
        compared_at,
        now.at,
        evaluation.samples,
    )


def _keep_series(evaluation: Evaluation, old: Mapping[str, bytes], taken_at: int) -> None:
    """Give series the numbers that the old snapshot gave them, for its other parts."""
    if "series" in old:
        restore(
            {"series": old["series"]},
            taken_at,
            evaluation.pipeline,
            SequenceTracker(),
            evaluation.catalogue,
            Instant(taken_at, 0),
        )


def _parts(
    evaluation: Evaluation, old: Mapping[str, bytes], now: Instant, taken_at: int | None
) -> dict[str, bytes]:
    """Return the old snapshot with the new model in it.

    Notes
    -----
    A snapshot is of one moment. What was learned is of the recording's end, so its
    clocks are set as if that had been looked at when the snapshot was taken.
    """
    copied = copy_state(evaluation.pipeline, SequenceTracker(), evaluation.catalogue)
    del copied["sequences"]
    passed_ms = 0 if taken_at is None else taken_at - now.at
    fresh = pack(copied, now.monotonic_ms + passed_ms)
    names = {f"rule/{watch.rule.name}" for watch in learned_of(evaluation.pipeline)}
    return {**old, **{name: fresh[name] for name in {"series", *names}}}


def _lessons(
    evaluation: Evaluation,
    opened: list[Incident],
    past: list[Incident],
    compared: tuple[int, int],
) -> Iterable[Lesson]:
    for watch in learned_of(evaluation.pipeline):
        rows = watch.groups.live
        if not len(rows):
            continue
        facts = watch.facts
        yield Lesson(
            rule=watch.rule.name,
            metric=watch.metric.key,
            groups=len(rows),
            judged=int((~np.isin(facts.evidence[rows], UNJUDGED)).sum()),
            intervals=int(facts.intervals[rows].sum()),
            would_page=_heads(opened, watch.rule.name, compared),
            did_page=_heads(past, watch.rule.name, compared),
        )


def _heads(
    incidents: Iterable[Incident], rule: str, compared: tuple[int, int]
) -> tuple[Incident, ...]:
    """Return the incidents of a rule that people were told of, or would be."""
    first, last = compared
    return tuple(
        one
        for one in incidents
        if one.rule == rule and not one.related_to and first <= one.opened_at <= last
    )
