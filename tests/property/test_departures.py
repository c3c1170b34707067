"""Engines that give up silent series and engines that never do decide the same."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.codecs import CODECS
from playwatch.codecs.packed_writer import encode
from playwatch.core.departures import Departures
from playwatch.core.intake import Intake
from playwatch.core.key_tables import KeyTables
from playwatch.core.metrics import Catalogue
from playwatch.core.pipeline import Pipeline
from playwatch.core.rules import Anomaly, Matcher, Rule
from playwatch.core.samples import Instant
from playwatch.core.sequences import SequenceTracker
from playwatch.core.series import SeriesTable
from playwatch.core.snapshots import copy_state, pack, restore
from tests.detectors import MeanDetector
from tests.property.streams import AUDIENCE, LATEST, MEAN, METRICS, SEEDS, SUM
from tests.stage import ONCALL, a_rule

if TYPE_CHECKING:
    from playwatch.core.pipeline import Step

START = 1_800_000_000_000
MAX_AGE_S = 600.0
SILENT_MS = 5_400_000

RULES = (
    a_rule("> 5", name="means", metric=MEAN, by=("title",), resolve_for_s=60.0),
    a_rule("> 5", name="all", metric=MEAN, for_s=90.0),
    a_rule("> 9", name="sums", metric=SUM, by=("cdn",)),
    a_rule("> 30", name="viewers", metric=LATEST, by=("cdn",), window_s=21_600.0),
    a_rule("> 5", name="rebuffering", metric=AUDIENCE, by=("title",), flap_within_s=60.0),
    Rule(
        "learned",
        SUM,
        Anomaly(1.0, ((), ("title",)), min_affected_views=1.0),
        where=(Matcher("cdn", ("a",)),),
    ),
)


class Engine:
    """The core behind its codecs; gives up silent series, or does not."""

    def __init__(self, *, gives_up: bool) -> None:
        self.departures = Departures(SILENT_MS) if gives_up else None
        self.seen: list[Counter[str]] = []
        self.given_up = 0
        self.begin()

    def begin(self) -> None:
        self.catalogue, self.series = Catalogue(), SeriesTable()
        self.sequences, self.tables = SequenceTracker(), KeyTables()
        self.pipeline = Pipeline(
            self.catalogue, self.series, RULES, [ONCALL], "here", opens=MeanDetector
        )
        self.intake = Intake(
            self.catalogue,
            self.series,
            self.sequences,
            tables=self.tables,
            max_age_s=MAX_AGE_S,
        )

    def read(self, messages: list[tuple[str, bytes]], now: Instant) -> None:
        self.intake.begin(now)
        for codec, payload in messages:
            self.intake.message("topic", codec)
            CODECS[codec](payload, self.intake)
        intaken = self.intake.finish()
        names = [self.series.canonical(row) for row in intaken.batch.series.tolist()]
        columns = (names, intaken.batch.at.tolist(), intaken.batch.value.tolist())
        self.note(map(repr, zip(*columns, strict=True)))
        self.note(f"{one.reason} {one.offset}" for one in intaken.rejections)
        self.keep(self.pipeline.take(intaken.batch, now))

    def tick(self, now: Instant) -> None:
        self.keep(self.pipeline.tick(now))
        if self.departures is not None:
            rows = self.departures.look(self.series, self.pipeline.lookout, self.intake, now)
            self.given_up += len(rows)

    def restart(self, now: Instant) -> None:
        state = copy_state(self.pipeline, self.sequences, self.catalogue, self.tables)
        parts, still_open = pack(state, now.monotonic_ms), self.pipeline.open_incidents
        self.begin()
        core = (self.pipeline, self.sequences, self.catalogue, now, self.tables)
        assert restore(parts, now.at, *core) == []
        self.keep(self.pipeline.adopt(still_open, [], now))

    def keep(self, step: Step) -> None:
        changes = step.changes
        self.note(repr(one) for one in changes.incidents)
        self.note(f"{one.action} {one.dedup_key} {one.channel}" for one in changes.deliveries)
        self.note(repr(one) for one in changes.decisions)
        self.note([f"late {step.late}"])

    def note(self, facts: object) -> None:
        self.seen.append(Counter(facts))  # type: ignore[call-overload]  # any iterable of texts


class Publisher:
    """Titles that come and go, told of in every way that there is."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.on_air = [f"title-{number}" for number in range(4)]
        self.number = len(self.on_air)
        self.announced: dict[str, list[tuple[str, dict[str, str]]]] = {}
        self.said: list[list[tuple[str, dict[str, str]]]] = []

    def turn_over(self) -> None:
        if self.dice.random() < 0.5:
            self.on_air[self.dice.randrange(len(self.on_air))] = f"title-{self.number}"
            self.number += 1
        if self.dice.random() < 0.2:  # an old one is shown once more
            old = f"title-{self.dice.randrange(self.number)}"
            self.on_air[self.dice.randrange(len(self.on_air))] = old

    def message(self, at: int) -> tuple[str, bytes]:
        keys = [
            (self.dice.choice(METRICS), {"title": title, "cdn": self.dice.choice("ab")})
            for title in self.dice.sample(self.on_air, self.dice.randint(1, len(self.on_air)))
        ]
        if self.said and self.dice.random() < 0.3:
            keys = self.dice.choice(self.said[-20:])
        self.said.append(keys)
        values = [float(self.dice.choice([1, 3, 9])) for _ in keys]
        at -= self.dice.choice([0, 0, 0, 1, 30, 400, 700]) * 1000
        return self.dice.choice([self.objects, self.columns, self.packed, self.numbers])(
            keys, values, at
        )

    def objects(
        self, keys: list[tuple[str, dict[str, str]]], values: list[float], at: int
    ) -> tuple[str, bytes]:
        samples = [
            {"metric": metric, "dimensions": dimensions, "value": value, "at": at, "views": 10}
            for (metric, dimensions), value in zip(keys, values, strict=True)
        ]
        return "native", json.dumps(samples).encode()

    def columns(
        self, keys: list[tuple[str, dict[str, str]]], values: list[float], at: int
    ) -> tuple[str, bytes]:
        whole = {
            "metric": keys[0][0],
            "dimensions": [dimensions for _, dimensions in keys],
            "value": values,
            "at": at,
        }
        return "native", json.dumps(whole).encode()

    def packed(
        self, keys: list[tuple[str, dict[str, str]]], values: list[float], at: int
    ) -> tuple[str, bytes]:
        return "packed", encode(keys, np.array(values), at=at)

    def numbers(
        self, keys: list[tuple[str, dict[str, str]]], values: list[float], at: int
    ) -> tuple[str, bytes]:
        """Speak of keys that were announced long ago by their numbers, or announce more."""
        source = self.dice.choice(["north", "south"])
        known = self.announced.get(source)
        if known is None or self.dice.random() < 0.2:
            self.announced[source] = known = [*(known or []), *keys]
            return "packed", encode(known, source=source, table="t")
        which = np.array([self.dice.randrange(len(known)) for _ in values], np.uint32)
        body = np.array(values)
        return "packed", encode(None, body, source=source, table="t", key=which, at=at)


@settings(deadline=None, max_examples=3)
@given(SEEDS, st.booleans())
def test_who_gives_up_silent_series_decides_the_same(seed: int, restarts: bool) -> None:  # noqa: FBT001 - drawn
    dice = random.Random(seed)  # noqa: S311 - no secret
    publisher, passed_ms = Publisher(dice), 0
    engines = [Engine(gives_up=True), Engine(gives_up=False)]
    for turn in range(90):
        passed_ms += dice.choice([1_000, 20_000, 300_000, 1_200_000, 2_400_000])
        now = Instant(START + passed_ms, passed_ms)
        publisher.turn_over()
        messages = [publisher.message(now.at) for _ in range(dice.randint(1, 3))]
        for engine in engines:
            engine.read(messages, now)
            engine.tick(Instant(now.at + 500, now.monotonic_ms + 500))
            if restarts and turn in {30, 60}:
                engine.restart(now)

    gave_up, kept = engines
    assert gave_up.seen == kept.seen
    assert gave_up.given_up > 0
    assert gave_up.series.live < kept.series.live
    assert len(gave_up.pipeline.thresholds[0].groups) < len(kept.pipeline.thresholds[0].groups)
    assert any("opened" in fact for facts in kept.seen for fact in facts)
