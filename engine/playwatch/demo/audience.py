"""A simulated audience: what its players report, second by second, faults included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Final

import numpy as np

FAILURES: Final = "playback_failure_percentage"
REBUFFERING: Final = "rebuffer_percentage"
VIEWERS: Final = "current_concurrent_viewers"

VIEWERS_IN: Final = {"BR": 30_000, "DE": 40_000, "SE": 12_000}
SHARE_OF: Final = {"akamai": 0.45, "fastly": 0.55}
PAIRS: Final = tuple(product(VIEWERS_IN, SHARE_OF))

FIRST_S: Final = 8
LENGTH_S: Final = 8
PERIOD_S: Final = 30

_VIEW_S: Final = 60.0
_FAILURE_RATE: Final = 0.01
_REBUFFERING: Final = 0.8
_SWING: Final = 0.1
_LEFT: Final = 0.04
_SEED_BITS: Final = 2**64 - 1


class FaultKind(Enum):
    """What goes wrong."""

    FAILURES = "failures"
    """Views fail in one country on one CDN."""
    REBUFFERING = "rebuffering"
    """Players wait for one CDN, in every country."""
    VIEWERS = "viewers"
    """Nearly everybody in one country is cut off."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong for a while.

    Attributes
    ----------
    start_s, end_s
        First second with it, and first one without it again.
    country, cdn
        Where; empty is everywhere.
    level
        How bad: percent of views or of watch time, or the share of viewers left.
    """

    kind: FaultKind
    start_s: int
    end_s: int
    country: str
    cdn: str
    level: float

    def hits(self, kind: FaultKind, country: str, cdn: str) -> bool:
        """Return whether it is of this kind and reaches there."""
        is_there = self.country in {"", country} and self.cdn in {"", cdn}
        return self.kind is kind and is_there

    def __str__(self) -> str:
        """Return what happens, in words."""
        if self.kind is FaultKind.FAILURES:
            return f"{self.level:.0f} % of views fail in {self.country} on {self.cdn}"
        if self.kind is FaultKind.REBUFFERING:
            return f"{self.level:.0f} % of watch time is rebuffering on {self.cdn}"
        return f"viewers in {self.country} are cut off"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one country's players on one CDN report of one second."""

    metric: str
    country: str
    cdn: str
    value: float
    views: int


class Audience:
    """Viewers in a few countries on two CDNs, and a fault from time to time.

    Parameters
    ----------
    seed
        Another seed is another audience with other faults.
    fault_limit
        How many faults there are; None for one after the other.

    Notes
    -----
    Every answer is a function of seed and second alone, so seconds may be left
    out or asked for again. Viewers swing by a tenth over some minutes; a view
    lasts a minute; failures are binomial around 1 %.
    """

    def __init__(self, seed: int, *, fault_limit: int | None = None) -> None:
        self._seed = seed & _SEED_BITS  # numpy takes no negative one
        self._fault_limit = fault_limit
        rng = np.random.default_rng([self._seed, 0])
        self._phases = rng.uniform(0, 2 * math.pi, len(PAIRS)).tolist()
        self._periods_s = rng.uniform(180, 400, len(PAIRS)).tolist()

    def fault(self, second: int) -> Fault | None:
        """Return what is wrong in a second; None when all is well."""
        number, since = divmod(second - FIRST_S, PERIOD_S)
        is_past = self._fault_limit is not None and number >= self._fault_limit
        if number < 0 or since >= LENGTH_S or is_past:
            return None
        rng = np.random.default_rng([self._seed, 1, number])
        country = str(rng.choice(list(VIEWERS_IN)))
        cdn = str(rng.choice(list(SHARE_OF)))
        start_s = FIRST_S + number * PERIOD_S
        kind = tuple(FaultKind)[number % len(FaultKind)]
        country, cdn, level = {
            FaultKind.FAILURES: (country, cdn, float(rng.uniform(30, 45))),
            FaultKind.REBUFFERING: ("", cdn, float(rng.uniform(25, 35))),
            FaultKind.VIEWERS: (country, "", _LEFT),
        }[kind]
        return Fault(kind, start_s, start_s + LENGTH_S, country, cdn, level)

    def sample(self, second: int) -> list[Sample]:
        """Return what the players report of a second, not negative.

        Returns
        -------
        list of Sample
            By metric, and within it in the order of `PAIRS`; percentages are
            0-100, and views are those that ended in this second.
        """
        return self._sample(second, self.fault(second), 2)

    def earlier(self, second: int) -> list[Sample]:
        """Return what they reported so many seconds ago, when all was well."""
        return self._sample(second, None, 3)

    def _sample(self, second: int, fault: Fault | None, stream: int) -> list[Sample]:
        rng = np.random.default_rng([self._seed, stream, second])
        failures, rebuffering, viewers = [], [], []
        for number, (country, cdn) in enumerate(PAIRS):
            watching = self._watching(number, second, fault)
            views = int(rng.poisson(watching / _VIEW_S))
            failed = int(rng.binomial(views, _failure_rate(fault, country, cdn)))
            percentage = 100 * failed / views if views else 0.0
            waiting = max(0.0, _waiting(fault, country, cdn) * float(rng.normal(1, 0.1)))
            failures.append(Sample(FAILURES, country, cdn, percentage, views))
            rebuffering.append(Sample(REBUFFERING, country, cdn, waiting, views))
            present = int(rng.poisson(watching))
            viewers.append(Sample(VIEWERS, country, cdn, present, present))
        return [*failures, *rebuffering, *viewers]

    def _watching(self, number: int, second: int, fault: Fault | None) -> float:
        """Return how many are expected to watch."""
        country, cdn = PAIRS[number]
        turn = 2 * math.pi * second / self._periods_s[number] + self._phases[number]
        watching = VIEWERS_IN[country] * SHARE_OF[cdn] * (1 + _SWING * math.sin(turn))
        is_cut_off = fault is not None and fault.hits(FaultKind.VIEWERS, country, cdn)
        return watching * _LEFT if is_cut_off else watching


def _failure_rate(fault: Fault | None, country: str, cdn: str) -> float:
    if fault is not None and fault.hits(FaultKind.FAILURES, country, cdn):
        return fault.level / 100
    return _FAILURE_RATE


def _waiting(fault: Fault | None, country: str, cdn: str) -> float:
    if fault is not None and fault.hits(FaultKind.REBUFFERING, country, cdn):
        return fault.level
    return _REBUFFERING
