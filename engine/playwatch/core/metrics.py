"""The metric catalogue: what can be measured, in which unit, and how values merge.

Keys are Mux's, with ``_``; Mux's real-time keys are accepted with ``-`` too.
Percentages are 0-100 everywhere.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from playwatch.core.rules import Aggregate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Merge(Enum):
    """How the values of many samples become one."""

    MEAN = "mean"
    """Mean weighted by views, over series and over time."""
    SUM = "sum"
    """Sum over series and over time."""
    LATEST = "latest"
    """Sum over series of each one's latest value; a silent series is forgotten."""


class Worse(Enum):
    """Which way a metric gets worse."""

    HIGH = "high"
    LOW = "low"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    Attributes
    ----------
    key
        Mux's key, with ``_``.
    unit
        ``%``, ``ms``, ``s``, ``score``, ``viewers`` ...; shown behind a value.
    worse
        Which way is worse.
    merge
        How values merge over series and over time.
    is_proportion
        True when the value is a share of views, so that an exact interval for
        a proportion applies.
    is_approximate
        True when the merge is not exact: the views-weighted mean of medians.
    views_are_audience
        True when a sample's views are the viewers at that moment, so that
        ``min_views`` compares the mean per sample and not the sum.
    low, high
        The range of valid values, both ends included.
    """

    key: str
    unit: str
    worse: Worse
    merge: Merge = Merge.MEAN
    is_proportion: bool = False
    is_approximate: bool = False
    views_are_audience: bool = False
    low: float = 0.0
    high: float = math.inf

    @property
    def measures_audience(self) -> bool:
        """True when the value itself is the number of viewers."""
        return self.views_are_audience and self.merge is Merge.LATEST

    @property
    def aggregate(self) -> Aggregate:
        """How a window becomes one value where the rule does not say."""
        return _AGGREGATES[self.merge]

    def is_average_of(self, aggregate: Aggregate) -> bool:
        """Return whether an aggregate of this metric weighs its samples by views."""
        if aggregate is Aggregate.LAST:
            return self.merge is Merge.MEAN
        return aggregate is Aggregate.MEAN

    @property
    def title(self) -> str:
        """The key in words: ``playback failure percentage``."""
        return self.key.replace("_", " ")


_AGGREGATES = {
    Merge.MEAN: Aggregate.MEAN,
    Merge.SUM: Aggregate.SUM,
    Merge.LATEST: Aggregate.LAST,
}


def _percentage(key: str) -> Metric:
    return Metric(key, "%", Worse.HIGH, high=100.0)


def _share_of_views(key: str) -> Metric:
    return Metric(key, "%", Worse.HIGH, is_proportion=True, high=100.0)


def _median(key: str, unit: str = "ms", worse: Worse = Worse.HIGH) -> Metric:
    return Metric(key, unit, worse, is_approximate=True)


def _count(key: str, worse: Worse = Worse.EITHER) -> Metric:
    return Metric(key, "", worse, merge=Merge.SUM)


def _score(key: str) -> Metric:
    return Metric(key, "score", Worse.LOW, high=100.0)


HISTORICAL: tuple[Metric, ...] = (
    *map(
        _score,
        (
            "viewer_experience_score",
            "playback_success_score",
            "startup_time_score",
            "rebuffer_score",
            "smoothness_score",
            "video_quality_score",
        ),
    ),
    *map(
        _share_of_views,
        (
            "playback_failure_percentage",
            "video_startup_failure_percentage",
            "exits_before_video_start",
            "playback_business_exception_percentage",
            "video_startup_business_exception_percentage",
            "view_dropped_percentage",
            "ad_playback_failure_percentage",
            "content_playback_failure_percentage",
        ),
    ),
    # Shares of ad attempts or breaks, or of watch time: not of views.
    *map(
        _percentage,
        (
            "ad_error_percentage",
            "ad_break_error_percentage",
            "ad_startup_error_percentage",
            "ad_exit_before_start_percentage",
            "rebuffer_percentage",
        ),
    ),
    *map(
        _median,
        (
            "video_startup_time",
            "player_startup_time",
            "page_load_time",
            "aggregate_startup_time",
            "view_content_startup_time",
            "video_startup_preroll_request_time",
            "video_startup_preroll_load_time",
            "ad_preroll_startup_time",
            "rebuffer_duration",
            "live_stream_latency",
            "request_latency",
            "max_request_latency",
        ),
    ),
    Metric("seek_latency", "ms", Worse.HIGH),
    _median("requests_for_first_preroll", ""),
    _median("rebuffer_count", ""),
    Metric("rebuffer_frequency", "per minute", Worse.HIGH),
    Metric("rendition_change_count", "", Worse.HIGH),
    Metric("rendition_upshift_count", "", Worse.EITHER),
    Metric("rendition_downshift_count", "", Worse.HIGH),
    # How far a picture is stretched: above 100 % is possible.
    Metric("upscale_percentage", "%", Worse.HIGH),
    _median("max_upscale_percentage", "%"),
    Metric("downscale_percentage", "%", Worse.HIGH),
    _median("max_downscale_percentage", "%"),
    _median("weighted_average_bitrate", "bit/s", Worse.LOW),
    _median("request_throughput", "Mbit/s", Worse.LOW),
    _count("views", Worse.LOW),
    _count("unique_viewers", Worse.LOW),
    Metric("playing_time", "ms", Worse.LOW, merge=Merge.SUM),
    _count("ad_attempt_count"),
    _count("ad_break_count"),
    _count("ad_impression_count"),
    _count("ad_error_count", Worse.HIGH),
    _count("ad_break_error_count", Worse.HIGH),
    Metric("ad_startup_error_count", "", Worse.HIGH),
    Metric("ad_exit_before_start_count", "", Worse.HIGH),
)

# ``playback-failure-percentage`` and ``video-startup-failure-percentage`` and
# ``video-startup-time`` exist in both worlds under one key; the historical
# definition stands.
REAL_TIME: tuple[Metric, ...] = (
    Metric(
        "current_concurrent_viewers",
        "viewers",
        Worse.EITHER,
        merge=Merge.LATEST,
        views_are_audience=True,
    ),
    Metric("current_rebuffering_percentage", "%", Worse.HIGH, views_are_audience=True, high=100.0),
    Metric("current_average_bitrate", "bit/s", Worse.LOW, views_are_audience=True),
)


class Catalogue:
    """The metrics that this installation knows, by key and by dense id.

    Parameters
    ----------
    custom
        Metrics of this installation, beside Mux's.
    """

    def __init__(self, custom: Iterable[Metric] = ()) -> None:
        self._metrics = (*HISTORICAL, *REAL_TIME, *custom)
        self._ids = {metric.key: number for number, metric in enumerate(self._metrics)}

    def __iter__(self) -> Iterator[Metric]:
        """Iterate over the metrics in the order of their ids."""
        return iter(self._metrics)

    def __len__(self) -> int:
        """Return how many metrics there are."""
        return len(self._metrics)

    def __getitem__(self, number: int) -> Metric:
        """Return the metric with this dense id."""
        return self._metrics[number]

    def id_of(self, key: str) -> int | None:
        """Return the dense id of a key, ``-`` read as ``_``; None when unknown."""
        number = self._ids.get(key)
        if number is None and "-" in key:
            number = self._ids.get(key.replace("-", "_"))
        return number

    def find(self, key: str) -> Metric | None:
        """Return the metric of a key, ``-`` read as ``_``; None when unknown."""
        number = self.id_of(key)
        return None if number is None else self._metrics[number]

    def suggest(self, key: str) -> str:
        """Return the known key nearest to a wrong one, or an empty string."""
        near = difflib.get_close_matches(key.replace("-", "_"), self._ids, n=1)
        return near[0] if near else ""
