"""The seasonal detector as one would write it first: one series, one value, plain floats.

It says what the columnar code must compute, and judges it. Tails only: no forest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["NaiveSeries", "NaiveVerdict"]

DAY_S = 86_400


@dataclass
class NaiveVerdict:
    """What is said of one value."""

    score: float
    expected: float
    agreed: float


@dataclass
class NaiveTail:
    """The level that one value in fifty exceeds, and by how much it does."""

    lowest: float
    declustering: float
    tail: float = 2.5
    excess: float = 0.6
    run: float = 0.0

    def rarity(self, size: float) -> float:
        if size <= self.tail:
            return 0.0
        return -math.log10(0.02) + math.log10(math.e) * (size - self.tail) / self.excess

    def follow(self, size: float) -> None:
        if size > self.tail:
            self.run += 1
            weight = self.run**-self.declustering
            self.tail *= 1 + 0.01 * 0.98 * weight
            found = min(size - self.tail, 4 * self.excess)
            self.excess = max(self.excess + 0.02 * weight * (found - self.excess), 0.1)
        else:
            self.run = max(self.run - 0.25, 0.0)
            self.tail *= 1 - 0.01 * 0.02
        self.tail = max(self.tail, self.lowest)


@dataclass
class NaiveSeries:
    """One series with a step of at most ten minutes."""

    step_s: int
    seen: int = 0
    level: float = 0.0
    offset: float = 0.0
    mean: float = 0.0
    size: float = 0.0
    local_noise: float = 0.0
    season_noise: float = 0.0
    settling: int = 0
    at_s: int = 0
    bin: int = -1
    verdicts: float = 0.0
    verdict_age_s: float | None = None
    in_bin: list[float] = field(default_factory=list)
    levels: dict[int, float] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    spreads: dict[int, float] = field(default_factory=dict)
    season_tail: NaiveTail = field(default_factory=lambda: NaiveTail(1.5, 0.5))
    local_tail: NaiveTail = field(default_factory=lambda: NaiveTail(1.5, 0.5))

    def step(self, time_s: int, value: float) -> NaiveVerdict:
        """Judge the value of the interval that starts at a time, then learn it."""
        if self.seen == 0:
            self.level = self.mean = value
        elif time_s - self.at_s > max(10 * self.step_s, 3600):
            self.settling = 10
        known, profile, spread = self._profile(time_s)
        expected = profile + self.offset if known else self.level
        floor = self._floor()
        season_scale = 0.625 * (self.season_noise + max(spread, 0.3 * self.season_noise)) + floor
        season_scale *= 1 if known else 2
        local_scale = 1.25 * self.local_noise + floor
        off, missed = value - expected, value - self.level
        season, local = _compressed(off / season_scale), _compressed(missed / local_scale)
        agreed = min(season, local, key=abs) if season * local > 0 else 0.0
        score = min(self.season_tail.rarity(abs(season)), self.local_tail.rarity(abs(local)))
        if self.settling or agreed == 0 or self.seen <= 30:
            score, agreed = 0.0, 0.0 if self.settling else agreed
        tired = max(score - 0.5 * math.log10(1 + self.verdicts), 0.0) if score else 0.0
        verdict = NaiveVerdict(tired, expected, agreed)
        self._tire(score)
        self.seen += 1
        self._learn(value, known=known, scales=(season_scale, local_scale), off=off)
        self.season_tail.follow(abs(season))
        self.local_tail.follow(abs(local))
        self._learn_bin(time_s, value, expected, season_scale)
        self.settling = max(self.settling - 1, 0)
        self.at_s = time_s
        return verdict

    def _tire(self, score: float) -> None:
        self.verdicts *= 0.5 ** (self.step_s / (2 * DAY_S))
        if self.verdict_age_s is not None:
            self.verdict_age_s += self.step_s
        if score >= 3.5:
            self.verdict_age_s = 0.0
        elif self.verdict_age_s is not None and self.verdict_age_s > max(1800, 3 * self.step_s):
            self.verdicts += 1
            self.verdict_age_s = None

    def _floor(self) -> float:
        return 0.004 * abs(self.mean) + 0.1 * self.size + 1e-9

    def _profile(self, time_s: int) -> tuple[bool, float, float]:
        phase = (time_s % DAY_S) / 600 - 0.5
        left = math.floor(phase)
        share, left = phase - left, left % 144
        right = (left + 1) % 144
        if left not in self.levels or right not in self.levels:
            return False, 0.0, 0.0
        profile = self.levels[left] + share * (self.levels[right] - self.levels[left])
        return True, profile, self.spreads.get(time_s % DAY_S // 3600, 0.0)

    def _learn(self, value: float, *, known: bool, scales: tuple[float, float], off: float) -> None:
        season_scale, local_scale = scales
        per_hour = max(1.0, 3600 / self.step_s)
        old = self.seen > 100
        weight = 1 / min(self.seen, max(8 * per_hour, 50.0))
        missed = value - self.level
        pace, offset_pace = min(0.5, 2 / per_hour), min(0.5, 0.5 / per_hour)
        if self.settling:
            self.level += max(pace, 0.3) * missed
            self.offset += max(offset_pace, 0.3) * off if known else 0.0
        else:
            reach = 3 * local_scale if old else math.inf
            self.level += pace * min(max(missed, -reach), reach)
            reach = 4 * local_scale if old else math.inf
            self.local_noise += weight * (min(abs(missed), reach) - self.local_noise)
            reach = 4 * season_scale if old else math.inf
            self.season_noise += weight * (min(abs(off), reach) - self.season_noise)
            if known:
                reach = 2 * season_scale
                self.offset += offset_pace * min(max(off, -reach), reach)
        self.offset *= 0.9995
        floor = self._floor()
        reach = 20 * max(self.local_noise, self.season_noise) + floor if old else math.inf
        self.mean += weight / 3 * min(max(value - self.mean, -reach), reach)
        reach = 20 * self.size + floor if old else math.inf
        self.size += weight * (min(abs(value - self.mean), reach) - self.size)

    def _learn_bin(self, time_s: int, value: float, expected: float, scale: float) -> None:
        now = time_s % DAY_S // 600
        if now != self.bin and self.in_bin:
            self._close(self.bin, sum(self.in_bin) / len(self.in_bin))
        if now != self.bin:
            self.bin, self.in_bin = now, []
        reach = 6 * scale if self.seen > 300 else math.inf
        self.in_bin.append(expected + min(max(value - expected, -reach), reach))

    def _close(self, number: int, mean: float) -> None:
        hour = number // 6
        if number not in self.levels:
            self.levels[number] = mean
        else:
            spread = self.spreads.get(hour, 0.0)
            limit = 4 * (spread + 0.5 * self.season_noise)
            change = min(max(mean - self.levels[number], -limit), limit)
            pace = max(0.15, 1 / (self.counts[number] + 1))
            self.levels[number] += pace * change
            self.spreads[hour] = spread + pace / 6 * (abs(change) - spread)
        self.counts[number] = self.counts.get(number, 0) + 1


def _compressed(z: float) -> float:
    if abs(z) <= 8:
        return z
    return math.copysign(8 * (1 + math.log(abs(z) / 8)), z)
