"""The ratio detector for people: one series at a time, plain numbers, no arrays.

Nothing here is fast. It follows the prose of `playwatch_models.evidence` and
`playwatch_models.rates`; where the two differ, one of them is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HOUR_MS = 3_600_000
WINDOWS = (1, 3, 10, 30)
RAISED = ((2.5, 0.002), (6.0, 0.01))
LN10 = math.log(10)


def tail(failures: float, expected: float, spread: float, keep: float) -> float:
    expected = max(expected, 1e-9)
    times = max(failures / expected, 1.0)
    held = 1 + keep / (1 + 0.3 * math.log(times))
    m, k, a = held * expected, held * expected * times, 1 / spread
    return max(0.0, k * math.log(times) - (k + a) * math.log1p((k - m) / (m + a)))


def shift(failures: float, expected: float, ratio: float, spread: float) -> float:
    a = 1 / spread
    rise = (ratio - 1) * expected / (expected + a)
    return failures * math.log(ratio) - (failures + a) * math.log1p(rise)


@dataclass
class Series:
    """All that is remembered of one series."""

    parent: Series | None = None
    level_failures: float = 0.0
    level_views: float = 0.0
    recent_failures: float = 0.0
    recent_expected: float = 0.0
    lent_rate: float = 0.0
    factors: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hour: int = -1
    hour_failures: float = 0.0
    hour_expected: float = 0.0
    of_day: dict[int, tuple[float, float]] = field(default_factory=dict)
    of_week: dict[int, tuple[float, float]] = field(default_factory=dict)
    windows: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)] * 4)
    window_views: float = 0.0
    scatter: list[float] = field(default_factory=lambda: [0.0] * 4)
    weight: list[float] = field(default_factory=lambda: [0.0] * 4)
    mean: list[float] = field(default_factory=lambda: [0.0] * 4)
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    at: int | None = None
    seen: int = 0
    doubted: int = 0

    def day_factor(self, hour: int) -> float:
        lent = 1.0
        if self.parent is not None:
            failures, expected = self.parent.of_day.get(hour % 24, (0.0, 0.0))
            lent = (failures + 20) / (expected + 20)
        failures, expected = self.of_day.get(hour % 24, (0.0, 0.0))
        return (failures + 20 * lent) / (expected + 20)

    def week_factor(self, hour: int) -> float:
        lent = 1.0
        if self.parent is not None:
            factor, expected = self.parent.of_week.get((hour + 96) % 168, (1.0, 0.0))
            lent = (factor * expected + 20) / (expected + 20)
        factor, expected = self.of_week.get((hour + 96) % 168, (1.0, 0.0))
        return (factor * expected + 20 * lent) / (expected + 20)

    def factor(self, hour: int) -> float:
        return min(10.0, max(0.1, self.day_factor(hour) * self.week_factor(hour)))

    def close_day(self) -> None:
        if self.hour < 0:
            return
        failures, expected = self.of_day.get(self.hour % 24, (0.0, 0.0))
        self.of_day[self.hour % 24] = (
            0.75 * failures + self.hour_failures,
            0.75 * expected + self.hour_expected,
        )

    def close_week(self) -> None:
        if self.hour < 0:
            return
        place = (self.hour + 96) % 168
        factor, kept = self.of_week.get(place, (1.0, 0.0))
        kept *= 0.5
        mass = max(kept + self.hour_expected * self.day_factor(self.hour), 1e-3)
        self.of_week[place] = (
            min(100.0, (kept * factor + self.hour_failures) / mass),
            min(2000.0, mass),
        )


class NaiveRatio:
    """Some series of one class, judged minute by minute."""

    def __init__(self, parents: list[int], step_s: float = 60.0) -> None:
        self.step_s = step_s
        self.series = [Series() for _ in parents]
        for one, parent in zip(self.series, parents, strict=True):
            one.parent = self.series[parent] if parent >= 0 else None
        self.class_rate = 0.01
        self.class_spread = [0.02] * 4
        self.class_cluster = [0.1] * 4
        self.class_hour = -1

    def step(self, at: int, value: list[float], views: list[float]) -> list[float]:
        """Judge one closed interval of all series; return their scores."""
        middle = at - int(self.step_s * 500)
        hour = middle // HOUR_MS
        if hour > self.class_hour:
            self._means(hour)
        late = [one for one in self.series if one.hour != hour]
        for one in late:
            one.close_day()
        for one in late:
            one.close_week()
        for one in late:
            self._open_hour(one, hour)
        return [
            self._one(one, at, middle, v / 100, n)
            for one, v, n in zip(self.series, value, views, strict=True)
        ]

    def _means(self, hour: int) -> None:
        self.class_hour = hour
        self.class_rate = (sum(s.level_failures for s in self.series) + 1) / (
            sum(s.level_views for s in self.series) + 100
        )
        for j, w in enumerate(WINDOWS):
            small = [s for s in self.series if s.seen > 0 and s.weight[j] < s.mean[j]]
            large = [s for s in self.series if s not in small]
            top = sum(s.scatter[j] for s in large) + 20 * w * 0.02
            self.class_spread[j] = max(1e-4, top / (sum(s.weight[j] for s in large) + 20 * w))
            top = sum(s.scatter[j] for s in small) + 20 * w * 0.1
            cluster = top / (sum(s.mean[j] for s in small) + 20 * w)
            self.class_cluster[j] = min(5.0, max(0.0, cluster))

    def _open_hour(self, one: Series, hour: int) -> None:
        one.lent_rate = self.class_rate
        if one.parent is not None and one.parent.level_failures > 0.5:
            one.lent_rate = one.parent.level_failures / max(one.parent.level_views, 1)
        one.factors = (one.factor(hour - 1), one.factor(hour), one.factor(hour + 1))
        one.hour, one.hour_failures, one.hour_expected = hour, 0.0, 0.0

    def _one(self, s: Series, at: int, middle: int, share: float, views: float) -> float:
        if not (views > 0 and 0 <= share <= 1):
            share, views = 0.0, 0.0
        self._age(s, at)
        failures = views * share
        level = (s.level_failures + 0.5) / (s.level_views + 0.5 / max(s.lent_rate, 1e-4))
        through = middle / HOUR_MS - s.hour - 0.5
        before, here, after = s.factors
        factor = here + abs(through) * ((before if through < 0 else after) - here)
        seasonal = min(0.6, max(1e-4, level * factor))
        recent = (s.recent_failures + 15) / (s.recent_expected + 15)
        rate = min(0.6, seasonal * max(recent, 1.0))
        expected = views * rate
        unsure = 1 / (1 + s.level_failures)

        windows = [
            ((1 - 1 / w) * k + failures, (1 - 1 / w) * m + expected)
            for w, (k, m) in zip(WINDOWS, s.windows, strict=True)
        ]
        spread = [self._spread(s, j, (2 - 1 / WINDOWS[j]) * m) for j, (_, m) in enumerate(windows)]
        burst = max(
            tail(k, m, spread[j] + unsure, 1 - 1 / WINDOWS[j]) for j, (k, m) in enumerate(windows)
        )
        wander = math.sqrt(max(spread[2], spread[3])) + 3 * math.sqrt(unsure)
        normal = expected * (1 + wander)
        apart = min(1.0, (1 + expected * spread[0]) / (1 + 10 * expected * spread[2]))
        sums = []
        for old, (times, plus) in zip(s.sums, RAISED, strict=True):
            ratio = times + plus * views / max(normal, 1e-9)
            nats = apart * shift(failures, normal, ratio, spread[0] + unsure)
            sums.append(min(25.0, max(0.0, 0.5 ** (self.step_s / 10800) * old + nats)))
        window_views = 29 / 30 * s.window_views + views
        is_enough = window_views * (-math.log(rate) - 1) > 3 * LN10
        score = 0.0
        if views > 0 and is_enough and s.seen >= 30:
            score = max(0.0, burst / LN10, max(sums) / LN10 - 1)

        self._learn(s, views, failures, expected, score, (level, factor, seasonal), spread, windows)
        s.windows, s.sums, s.window_views, s.at = windows, sums, window_views, at
        self._recover(s, score, windows, [one + unsure for one in spread])
        return score

    def _spread(self, s: Series, j: int, expected: float) -> float:
        expected = max(expected, 1e-6)
        credit = 20 * WINDOWS[j] * expected / (1 + expected)
        believed = self.class_spread[j] + self.class_cluster[j] / expected
        return max(1e-4, (s.scatter[j] + credit * believed) / (s.weight[j] + credit))

    def _age(self, s: Series, at: int) -> None:
        if s.at is None:
            return
        steps = (at - s.at) / (self.step_s * 1000)
        if steps <= 1.5:
            return
        keeps = [0.0 if steps > 30 else (1 - 1 / w) ** (steps - 1) for w in WINDOWS]
        s.windows = [(q * k, q * m) for q, (k, m) in zip(keeps, s.windows, strict=True)]
        s.window_views *= keeps[-1]
        if steps > 30:
            s.sums = [0.0, 0.0]

    def _learn(
        self,
        s: Series,
        views: float,
        failures: float,
        expected: float,
        score: float,
        rates: tuple[float, float, float],
        spread: list[float],
        windows: list[tuple[float, float]],
    ) -> None:
        if views <= 0:
            return
        s.doubted = s.doubted + 1 if score > 3 and s.seen >= 180 else 0
        is_new_normal = s.doubted * self.step_s > 6 * 3600
        if s.doubted and not is_new_normal:
            return
        level, factor, seasonal = rates
        if not is_new_normal and s.seen >= 30:
            deviation = math.sqrt(expected + spread[0] * expected**2 + 0.25)
            failures = min(failures, 1.5 * expected + 3 * deviation)
        keep = 0.5 ** (self.step_s / (2 * 86400))
        s.level_failures = keep * s.level_failures + failures
        s.level_views = keep * s.level_views + views * factor
        keep = 0.5 ** (self.step_s / 3600)
        s.recent_failures = keep * s.recent_failures + failures
        s.recent_expected = keep * s.recent_expected + views * seasonal
        s.hour_failures += failures
        s.hour_expected += views * level
        for j, (w, (k, m)) in enumerate(zip(WINDOWS, windows, strict=True)):
            seen, due = (2 - 1 / w) * k, (2 - 1 / w) * m
            squared = min((seen - due) ** 2, 16 * (due + spread[j] * due**2))
            weight = 1 / (1 + due) ** 2
            s.scatter[j] = (1 - 1 / 4320) * s.scatter[j] + weight * (squared - due)
            s.weight[j] = (1 - 1 / 4320) * s.weight[j] + weight * due**2
            s.mean[j] = (1 - 1 / 4320) * s.mean[j] + weight * due
        s.seen += 1

    def _recover(
        self, s: Series, score: float, windows: list[tuple[float, float]], spread: list[float]
    ) -> None:
        if score <= 1:
            return
        emptied = list(windows)
        for short in range(3):
            k, m = windows[short]
            if tail(k, m, spread[short], 1 - 1 / WINDOWS[short]) >= LN10:
                continue
            for j in range(short + 1, 4):
                ratio = max(1.0, windows[j][0] / max(windows[j][1], 1e-9))
                if -shift(k, m, ratio, spread[short]) > 5:
                    emptied[j] = (windows[j][1], windows[j][1])
                    s.sums = [0.0, 0.0]
        s.windows = emptied
