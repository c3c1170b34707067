"""Random streams of batches and ticks, and the rules that watch them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC

from hypothesis import strategies as st

from playwatch.core.hours import ActiveHours
from playwatch.core.rules import Aggregate, Matcher, NoData, NoDataPolicy, Rule
from tests import naive
from tests.stage import Sample, Stage, a_rule

MEAN = "playback_failure_percentage"
SUM = "ad_error_count"
LATEST = "current_concurrent_viewers"
AUDIENCE = "current_rebuffering_percentage"
METRICS = (MEAN, SUM, LATEST, AUDIENCE)

PLACES: tuple[dict[str, str], ...] = (
    {"country": "DE", "cdn": "a"},
    {"country": "DE", "cdn": "b"},
    {"country": "FR", "cdn": "a"},
    {"country": "FR"},
    {},
)

SEEDS = st.integers(0, 2**32)

_AGGREGATES = (Aggregate.MIN, Aggregate.MAX, Aggregate.LAST, Aggregate.MEAN, Aggregate.SUM)
# The stage starts at 08:00 UTC on a Friday.
_HOURS = (
    ActiveHours(UTC, first=8 * 60 + 2, end=8 * 60 + 5),
    ActiveHours(UTC, frozenset({4}), first=8 * 60 + 3, end=8 * 60),
)

_LAGS_S = [0, 0, 0, 1, 2, 3, 30, 59, 61, 300, -1, -30]
_PAUSES_MS = [0, 0, 1, 400, 1000, 1000, 3000, 20_000, 60_000, 400_000]


@dataclass(frozen=True)
class Happening:
    """After a while, samples arrive (or none: a tick). Times are relative to now."""

    after_ms: int
    samples: tuple[tuple[str, int, int, int, int], ...] | None


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    count = draw(st.integers(1, 2))
    return [draw(_rule(f"rule-{number}")) for number in range(count)]


@st.composite
def _rule(draw: st.DrawFn, name: str) -> Rule:
    comparison = draw(st.sampled_from([">", ">=", "<", "<="]))
    outward = 1 if comparison in {">", ">="} else -1
    low = draw(st.integers(3, 6))
    resolve = draw(st.sampled_from(["", "inward"]))
    opposite = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}[comparison]
    two_tiers = draw(st.booleans())
    metric = draw(st.sampled_from((MEAN, MEAN, *METRICS)))
    aggregate = draw(st.sampled_from((None, None, *_AGGREGATES)))
    if aggregate is Aggregate.SUM and metric != SUM:
        aggregate = None
    is_mean = metric == MEAN and aggregate in {None, Aggregate.MEAN}
    window_s = draw(st.sampled_from([1.0, 10.0, 60.0]))
    policy = draw(st.sampled_from((NoDataPolicy.KEEP, *NoDataPolicy)))
    return a_rule(
        f"{comparison} {low + outward * 2 if two_tiers else low}",
        name=name,
        metric=metric,
        warning=low if two_tiers else None,
        resolve=f"{opposite} {low - outward}" if resolve else "",
        where=draw(
            st.sampled_from(
                [(), (Matcher("cdn", must_be_missing=True),), (Matcher("country", ("D*",)),)]
            )
        ),
        by=draw(st.sampled_from([(), (), ("country",), ("country", "cdn")])),
        window_s=window_s,
        for_s=draw(st.sampled_from([0.0, 5.0, 20.0, 70.0])),
        resolve_for_s=draw(st.sampled_from([0.0, 5.0, 70.0])),
        min_views=draw(st.sampled_from([0, 0, 4])),
        expire_after_s=draw(st.sampled_from([30.0, 300.0, 86_400.0])),
        aggregate=aggregate,
        confidence=draw(st.sampled_from([0.0, 0.0, 0.6, 0.9])) if is_mean else 0.0,
        no_data=NoData(policy, window_s + draw(st.sampled_from([0.0, 10.0, 120.0]))),
        flap_within_s=draw(st.sampled_from([0.0, 0.0, 5.0, 90.0])),
        active=draw(st.sampled_from([None, None, None, *_HOURS])),
    )


def streams(max_size: int = 20) -> st.SearchStrategy[list[Happening]]:
    """Return short streams that shrink well."""
    sample = st.tuples(
        st.sampled_from(METRICS),
        st.integers(0, len(PLACES) - 1),
        st.sampled_from(_LAGS_S).map(lambda lag: lag * 1000),
        st.integers(0, 9),
        st.integers(0, 5),
    )
    batch = st.lists(sample, min_size=1, max_size=6).map(tuple)
    happening = st.builds(
        Happening, st.sampled_from(_PAUSES_MS), st.one_of(batch, batch, st.none())
    )
    return st.lists(happening, max_size=max_size)


def long_streams(
    its_rules: list[Rule], seeds: st.SearchStrategy[int]
) -> st.SearchStrategy[list[Happening]]:
    """Return long streams about the metrics of some rules, each from one seed."""
    metrics = sorted({rule.metric for rule in its_rules})
    return seeds.map(lambda seed: _long_stream(metrics, random.Random(seed)))  # noqa: S311 - no secret


def _long_stream(metrics: list[str], dice: random.Random) -> list[Happening]:
    """Return spells of good, middling and bad values, of reports, silence and ticks."""
    stream: list[Happening] = []
    for _ in range(dice.randint(2, 12)):
        values = dice.choice([(0, 2), (3, 5), (4, 9), (7, 9), (0, 9)])
        views = dice.choice([(0, 0), (1, 2), (5, 9)])
        lags = dice.choice([[0, 1], [0, 1], _LAGS_S, [0, 2, 4, 8]])
        pause_ms = dice.choice([400, 1000, 1000, 3000, 10_000])
        places = dice.sample(range(len(PLACES)), dice.randint(1, 3))
        for _ in range(dice.randint(1, 20)):
            is_tick = dice.random() < 0.6
            samples = tuple(
                (
                    dice.choice(metrics),
                    dice.choice(places),
                    dice.choice(lags) * 1000,
                    dice.randint(*values),
                    dice.randint(*views),
                )
                for _ in range(dice.randint(1, 3))
            )
            stream.append(Happening(pause_ms, None if is_tick else samples))
        if dice.random() < 0.3:
            stream += [Happening(dice.choice(_PAUSES_MS), None) for _ in range(dice.randint(1, 9))]
    return stream


def samples_of(happening: Happening, at: int) -> list[Sample]:
    """Return what arrives at one moment, as the stage takes it."""
    return [
        (metric, PLACES[place], at - lag, float(value), views)
        for metric, place, lag, value, views in happening.samples or ()
    ]


def naive_samples(samples: list[Sample]) -> list[naive.Sample]:
    return [
        naive.Sample(metric, tuple(sorted(dimensions.items())), at, value, views)
        for metric, dimensions, at, value, views in samples
    ]


def play(stage: Stage, stream: list[Happening]) -> None:
    """Let a stream happen on a stage."""
    for happening in stream:
        stage.sleep(happening.after_ms / 1000)
        if happening.samples is None:
            stage.tick()
        else:
            stage.send_batch(samples_of(happening, stage.at))
