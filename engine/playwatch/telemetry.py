"""What the engine tells about itself: the only owner of prometheus-client.

The core and the codecs return counts; the shell puts them here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from playwatch import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    _Family = Callable[[], GaugeMetricFamily | CounterMetricFamily]
    _Values = Callable[[], Iterable[tuple[list[str], float]]]

# When a counter was made is of no use here and doubles the page.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own lapse

CONTENT_TYPE = CONTENT_TYPE_LATEST

MOST_SOURCES = 200
"""How many sources have gaps of their own in the metrics; a publisher invents any number."""
OTHER_SOURCES = "other"
"""Stands for the sources beyond that."""

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_SCORE_BUCKETS = (0.0001, 0.00025, 0.0005, *_LATENCY_BUCKETS[:11])

RuleState = tuple[str, str, int]
"""A rule, a state, and how many of its groups are in it."""


class Telemetry:
    """The metrics of one engine, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.samples_received = Counter(
            "playwatch_samples_received_total",
            "Samples decoded, accepted or not.",
            ["codec"],
            registry=registry,
        )
        self.samples_rejected = Counter(
            "playwatch_samples_rejected_total",
            "Samples or messages refused, by reason.",
            ["reason"],
            registry=registry,
        )
        self.samples_repeated = Counter(
            "playwatch_samples_repeated_total",
            "Samples dropped because their source and sequence number were seen before.",
            registry=registry,
        )
        self.samples_late = Counter(
            "playwatch_samples_late_total",
            "Samples older than the window of a rule that watches them.",
            registry=registry,
        )
        self.newest_at = Gauge(
            "playwatch_newest_sample_timestamp_seconds",
            "Time of the newest sample that was counted.",
            registry=registry,
        )
        self.ingest_lag = Gauge(
            "playwatch_ingest_lag_seconds",
            "Age of the newest sample of the last read when it arrived.",
            registry=registry,
        )
        self.behind = Gauge(
            "playwatch_behind_seconds", "How much older than usual samples are.", registry=registry
        )
        self.sequence_gaps = Counter(
            "playwatch_sequence_gaps_total",
            "Sequence numbers that never arrived, by the source that samples name.",
            ["source"],
            registry=registry,
        )
        self.sequence_gaps.labels(OTHER_SOURCES)
        self._gap_sources: set[str] = set()
        self.messages_received = Counter(
            "playwatch_messages_received_total",
            "Messages received from a source.",
            ["source"],
            registry=registry,
        )
        self.messages_dropped = Counter(
            "playwatch_messages_dropped_total",
            "QoS 0 messages dropped, by which limit of the backlog was reached.",
            ["source", "reason"],
            registry=registry,
        )
        self.messages_retained = Counter(
            "playwatch_messages_retained_total",
            "Retained messages: ignored, but for the keys of packed ones.",
            ["source"],
            registry=registry,
        )
        self.queue_length = Gauge(
            "playwatch_queue_length",
            "Messages that have arrived and wait to be read.",
            ["source"],
            registry=registry,
        )
        self.queue_bytes = Gauge(
            "playwatch_queue_bytes",
            "Size of the messages that have arrived and wait to be read.",
            ["source"],
            registry=registry,
        )
        self.reading_paused = Counter(
            "playwatch_reading_paused_total",
            "How often a source was not read, because the messages that wait take too much memory.",
            ["source"],
            registry=registry,
        )
        self.queue_wait = Gauge(
            "playwatch_queue_wait_seconds",
            "How long the oldest message of the last read had waited to be read.",
            ["source"],
            registry=registry,
        )
        self.connected = Gauge(
            "playwatch_mqtt_connected",
            "1 while subscribed at the broker.",
            ["source"],
            registry=registry,
        )
        self.series = Gauge("playwatch_series", "Series in memory.", registry=registry)
        self.series_given_up = Counter(
            "playwatch_series_given_up_total", "Series silent for days.", registry=registry
        )
        self.evaluation = Histogram(
            "playwatch_evaluation_duration_seconds",
            "Time to decode and evaluate what one read brought.",
            registry=registry,
            buckets=_LATENCY_BUCKETS,
        )
        self.evaluation_lag = Histogram(
            "playwatch_evaluation_lag_seconds",
            "From the arrival of the first message of a read until all of the read was judged.",
            registry=registry,
            buckets=_LATENCY_BUCKETS,
        )
        self.anomaly_score = Histogram(
            "playwatch_anomaly_score_duration_seconds",
            "Time that the model took to judge one interval of the groups that reported.",
            registry=registry,
            buckets=_SCORE_BUCKETS,
        )
        self.incidents_open = Gauge(
            "playwatch_incidents_open", "Open incidents.", ["type"], registry=registry
        )
        self.incidents_opened = Counter(
            "playwatch_incidents_opened_total", "Incidents opened.", ["type"], registry=registry
        )
        self.notifications = Counter(
            "playwatch_notifications_total",
            "Attempts to deliver, by how they ended.",
            ["channel", "result"],
            registry=registry,
        )
        self.notification_failures = Counter(
            "playwatch_notification_failures_total",
            "Attempts that were not accepted, by reason.",
            ["channel", "reason"],
            registry=registry,
        )
        self.notification_latency = Histogram(
            "playwatch_notification_latency_seconds",
            "From the decision to notify to the receiver's acceptance.",
            ["channel"],
            registry=registry,
            buckets=_LATENCY_BUCKETS,
        )
        self.channel_misconfigured = Gauge(
            "playwatch_channel_misconfigured",
            "1 while a channel waits for the operator.",
            ["channel"],
            registry=registry,
        )
        self.reload_successful = Gauge(
            "playwatch_config_last_reload_successful",
            "1 when the last reload of the configuration took effect.",
            registry=registry,
        )
        self.reload_successful.set(1)
        self.reloaded_at = Gauge(
            "playwatch_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read.",
            registry=registry,
        )
        self.channel_away = Gauge(
            "playwatch_channel_away",
            "1 while the receiver of a channel fails and is asked only now and then.",
            ["channel"],
            registry=registry,
        )
        self.deliveries_pending = Gauge(
            "playwatch_deliveries_pending",
            "Deliveries that wait to be accepted.",
            ["channel"],
            registry=registry,
        )
        self.delivery_oldest = Gauge(
            "playwatch_delivery_oldest_seconds",
            "Age of the oldest delivery that waits; 0 when none does.",
            ["channel"],
            registry=registry,
        )
        self.deliveries_dead = Counter(
            "playwatch_deliveries_dead_total",
            "Deliveries given up.",
            ["channel"],
            registry=registry,
        )
        self.heartbeats = Counter(
            "playwatch_heartbeats_total",
            "Heartbeats to the dead-man's switch, by whether they were sent, failed or withheld.",
            ["result"],
            registry=registry,
        )
        self.heartbeat_at = Gauge(
            "playwatch_heartbeat_last_success_timestamp_seconds",
            "When the dead-man's switch was last told that all is well; 0 for never.",
            registry=registry,
        )
        self.build = Gauge(
            "playwatch_build_info", "The version that runs.", ["version"], registry=registry
        )
        self.build.labels(__version__).set(1)

    def count_gaps(self, source: str, count: int) -> None:
        """Count numbers that a source never sent; the 201st source and later ones together."""
        if source not in self._gap_sources:
            if len(self._gap_sources) >= MOST_SOURCES:
                source = OTHER_SOURCES
            else:
                self._gap_sources.add(source)
        self.sequence_gaps.labels(source).inc(count)

    def tell_rules(self, states: Callable[[], Iterable[RuleState]]) -> None:
        """Tell at each scrape how many groups of each rule are in which state."""
        family = partial(
            GaugeMetricFamily,
            "playwatch_rules_state",
            "Groups of a rule, by state.",
            labels=["rule", "state"],
        )
        self._ask(family, lambda: (([rule, state], groups) for rule, state, groups in states()))

    def tell_models(self, ages: Callable[[], Iterable[tuple[str, float]]]) -> None:
        """Tell at each scrape for how many seconds each learned rule has been learning."""
        about = "Time since a learned rule saw its first interval; 0 before."
        family = partial(GaugeMetricFamily, "playwatch_model_age_seconds", about, labels=["rule"])
        self._ask(family, lambda: (([rule], age_s) for rule, age_s in ages()))

    def tell_log(
        self, size: Callable[[], float], attempts: Callable[[], Iterable[tuple[str, float]]]
    ) -> None:
        """Tell at each scrape what is in the store's log, and how often it was emptied how."""
        about = "What the log ahead of the store's file holds."
        family = partial(GaugeMetricFamily, "playwatch_store_log_bytes", about, labels=[])
        self._ask(family, lambda: [([], size())])
        name, about = "playwatch_store_log_copies", "Attempts to empty that log, by how they went."
        counted = partial(CounterMetricFamily, name, about, labels=["how"])
        self._ask(counted, lambda: (([how], count) for how, count in attempts()))

    def _ask(self, family: _Family, values: _Values) -> None:
        self.registry.register(_Asked(family, values))

    def counts(self) -> dict[str, dict[str, float]]:
        """Return every sample by its name and the values of its labels, read once."""
        found: dict[str, dict[str, float]] = {}
        for family in self.registry.collect():
            for sample in family.samples:
                found.setdefault(sample.name, {})[" ".join(sample.labels.values())] = sample.value
        return found

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Asked(Collector):
    """Asks for a metric's values at each scrape; its family is made without any."""

    def __init__(self, family: _Family, values: _Values) -> None:
        self._family = family
        self._values = values

    def describe(self) -> Iterable[Metric]:
        """Return the metric without values."""
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        """Return the metric as it stands now."""
        family = self._family()
        for labels, value in self._values():
            family.add_metric(labels, value)
        return [family]
