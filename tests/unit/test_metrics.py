"""The catalogue holds what Mux documents."""

from __future__ import annotations

import pytest

from playwatch.core.metrics import HISTORICAL, Catalogue, Merge, Metric, Worse

MUX_HISTORICAL = [
    "viewer_experience_score",
    "playback_success_score",
    "startup_time_score",
    "rebuffer_score",
    "video_quality_score",
    "playback_failure_percentage",
    "video_startup_failure_percentage",
    "exits_before_video_start",
    "playback_business_exception_percentage",
    "video_startup_business_exception_percentage",
    "view_dropped_percentage",
    "video_startup_time",
    "player_startup_time",
    "page_load_time",
    "aggregate_startup_time",
    "view_content_startup_time",
    "seek_latency",
    "video_startup_preroll_request_time",
    "video_startup_preroll_load_time",
    "requests_for_first_preroll",
    "ad_preroll_startup_time",
    "rebuffer_percentage",
    "rebuffer_frequency",
    "rebuffer_duration",
    "rebuffer_count",
    "rendition_change_count",
    "rendition_upshift_count",
    "rendition_downshift_count",
    "upscale_percentage",
    "max_upscale_percentage",
    "downscale_percentage",
    "max_downscale_percentage",
    "weighted_average_bitrate",
    "live_stream_latency",
    "request_throughput",
    "request_latency",
    "max_request_latency",
    "views",
    "unique_viewers",
    "playing_time",
    "ad_attempt_count",
    "ad_break_count",
    "ad_impression_count",
    "ad_error_count",
    "ad_break_error_count",
    "ad_startup_error_count",
    "ad_exit_before_start_count",
    "ad_error_percentage",
    "ad_break_error_percentage",
    "ad_startup_error_percentage",
    "ad_exit_before_start_percentage",
]

MEDIANS = {
    "video_startup_time",
    "player_startup_time",
    "page_load_time",
    "aggregate_startup_time",
    "view_content_startup_time",
    "video_startup_preroll_request_time",
    "video_startup_preroll_load_time",
    "requests_for_first_preroll",
    "ad_preroll_startup_time",
    "rebuffer_duration",
    "rebuffer_count",
    "max_upscale_percentage",
    "max_downscale_percentage",
    "weighted_average_bitrate",
    "live_stream_latency",
    "request_throughput",
    "request_latency",
    "max_request_latency",
}


def test_every_historical_key_of_mux_is_known() -> None:
    assert len(MUX_HISTORICAL) == 51
    assert set(MUX_HISTORICAL) <= {metric.key for metric in HISTORICAL}


@pytest.mark.parametrize(
    "key",
    [
        "current-concurrent-viewers",
        "current-rebuffering-percentage",
        "exits-before-video-start",
        "playback-failure-percentage",
        "current-average-bitrate",
        "video-startup-time",
    ],
)
def test_real_time_keys_are_known_with_hyphens(key: str) -> None:
    metric = Catalogue().find(key)

    assert metric is not None
    assert metric.key == key.replace("-", "_")


def test_ids_are_dense_and_keys_unique() -> None:
    catalogue = Catalogue([Metric("ours", "", Worse.HIGH)])

    assert [catalogue.id_of(metric.key) for metric in catalogue] == list(range(len(catalogue)))
    assert catalogue[len(catalogue) - 1].key == "ours"


def test_medians_are_marked_as_approximate() -> None:
    known = {metric.key for metric in Catalogue() if metric.is_approximate}

    assert known == MEDIANS


def test_percentages_that_cannot_pass_a_hundred_say_so() -> None:
    stretched = {"upscale", "downscale"}
    for metric in Catalogue():
        if metric.unit == "%" and not any(word in metric.key for word in stretched):
            assert (metric.low, metric.high) == (0, 100), metric.key


def test_a_share_of_views_is_a_percentage_and_a_mean() -> None:
    for metric in Catalogue():
        if metric.is_proportion:
            assert metric.unit == "%"
            assert metric.merge is Merge.MEAN


def test_a_misspelt_key_gets_a_suggestion() -> None:
    catalogue = Catalogue()

    assert catalogue.suggest("playback_failure_percent") == "playback_failure_percentage"
    assert catalogue.suggest("playback-failure-percent") == "playback_failure_percentage"
    assert catalogue.suggest("zzzzzz") == ""
    assert catalogue.find("zzzzzz") is None
