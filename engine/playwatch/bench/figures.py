"""What a bench has measured."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from playwatch import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Attributes
    ----------
    series
        That the engine knows before anything is measured.
    breaches
        Of one series each, one after the other.
    storm
        Series that breach in one message.
    seconds
        For which samples are published, of each kind of message.
    """

    series: int = 1000
    breaches: int = 40
    storm: int = 100
    seconds: float = 7.0


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, each time; milliseconds, not empty."""

    values_ms: Sequence[float]

    @property
    def median_ms(self) -> float:
        """Half of them took no longer."""
        return float(np.median(self.values_ms))

    @property
    def p99_ms(self) -> float:
        """All but one in a hundred took no longer; of few, the largest."""
        return float(np.percentile(self.values_ms, 99, method="higher"))

    @property
    def largest_ms(self) -> float:
        """What the slowest took."""
        return max(self.values_ms)

    def document(self) -> dict[str, Any]:
        """Return it for a JSON encoder."""
        return {
            "count": len(self.values_ms),
            "median": round(self.median_ms, 2),
            "p99": round(self.p99_ms, 2),
            "largest": round(self.largest_ms, 2),
        }


@dataclass(frozen=True, slots=True)
class Throughput:
    """What samples cost the engine in one kind of message.

    Attributes
    ----------
    what
        The kind, in words.
    messages, sent, counted
        Messages and samples published, and the samples that the engine counted.
    took_s
        From the first message to the last sample counted.
    cpu_s
        Processor time of the engine; None where the system does not tell.
    """

    what: str
    messages: int
    sent: int
    counted: int
    took_s: float
    cpu_s: float | None

    @property
    def per_second(self) -> float:
        """Samples counted a second."""
        return self.counted / self.took_s

    @property
    def lost(self) -> int:
        """Samples sent and not counted."""
        return self.sent - self.counted

    @property
    def share(self) -> float | None:
        """Of one processor, how much the engine used; None where nobody tells."""
        return None if self.cpu_s is None else self.cpu_s / self.took_s

    @property
    def cpu_us_per_message(self) -> float | None:
        """Processor time of a message in microseconds."""
        return None if self.cpu_s is None else self.cpu_s / self.messages * 1e6

    @property
    def cpu_us_per_sample(self) -> float | None:
        """Processor time of a sample that was counted, in microseconds."""
        return None if self.cpu_s is None else self.cpu_s / max(1, self.counted) * 1e6

    def document(self) -> dict[str, Any]:
        """Return it for a JSON encoder."""
        return {
            "what": self.what,
            "messages": self.messages,
            "samples_sent": self.sent,
            "samples_counted": self.counted,
            "lost": self.lost,
            "samples_per_second": round(self.per_second),
            "engine_share_of_a_processor": _rounded(self.share),
            "cpu_us_per_message": _rounded(self.cpu_us_per_message),
            "cpu_us_per_sample": _rounded(self.cpu_us_per_sample),
        }


@dataclass(frozen=True, slots=True)
class Storm:
    """Many breaches in one message.

    Attributes
    ----------
    arrivals_ms
        When each trigger arrived, milliseconds after the publish, in order.
    lost
        Triggers and resolves that never came.
    doubled
        Those that came once more.
    """

    breaches: int
    arrivals_ms: Sequence[float]
    lost: int
    doubled: int

    @property
    def last_ms(self) -> float | None:
        """When the last trigger arrived; None when none did."""
        return max(self.arrivals_ms, default=None)

    def document(self) -> dict[str, Any]:
        """Return it for a JSON encoder."""
        return {
            "breaches": self.breaches,
            "first_trigger_ms": _rounded(min(self.arrivals_ms, default=None)),
            "last_trigger_ms": _rounded(self.last_ms),
            "lost": self.lost,
            "doubled": self.doubled,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that one bench has measured.

    Attributes
    ----------
    broker
        Which one, in words.
    caveat
        What to know of the broker before comparing; empty for nothing.
    """

    plan: Plan
    broker: str
    caveat: str
    processors: int
    trigger: Spread
    resolve: Spread
    throughput: Sequence[Throughput]
    storm: Storm

    @property
    def is_whole(self) -> bool:
        """Whether no page was lost or doubled, and no sample lost."""
        is_storm_whole = not self.storm.lost and not self.storm.doubled
        return is_storm_whole and not any(one.lost for one in self.throughput)

    def document(self) -> dict[str, Any]:
        """Return it for a JSON encoder."""
        return {
            "playwatch": __version__,
            "python": platform.python_version(),
            "processors": self.processors,
            "broker": self.broker,
            "caveat": self.caveat,
            "series": self.plan.series,
            "latency_ms": {
                "trigger": self.trigger.document(),
                "resolve": self.resolve.document(),
            },
            "throughput": [one.document() for one in self.throughput],
            "storm": self.storm.document(),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
