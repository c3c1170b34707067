"""What one read brought, counted in the engine's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.runtime.lateness import Lateness

if TYPE_CHECKING:
    from playwatch.core.intaken import Intaken
    from playwatch.core.pipeline import Step
    from playwatch.core.samples import Instant
    from playwatch.telemetry import Telemetry


class ReadCounter:
    """Counts what was received, refused, repeated, missed, and how late it is."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lateness = Lateness(telemetry)

    def count(self, intaken: Intaken, step: Step, series: int, now: Instant) -> None:
        """Count one read, after which there are so many series."""
        telemetry = self._telemetry
        telemetry.series.set(series)
        for codec, count in intaken.received.items():
            telemetry.samples_received.labels(codec).inc(count)
        for reason, count in intaken.rejected.items():
            telemetry.samples_rejected.labels(reason.value).inc(count)
        if intaken.repeated:
            telemetry.samples_repeated.inc(intaken.repeated)
        for source, count in intaken.gaps_by_source.items():
            telemetry.count_gaps(source, count)
        if step.late:
            telemetry.samples_late.inc(step.late)
        if len(intaken.batch):
            newest_at = int(intaken.batch.at.max())
            telemetry.newest_at.set(newest_at / 1000)
            telemetry.ingest_lag.set((now.at - newest_at) / 1000)
            self._lateness.note(intaken.batch.at, now)

    def look(self, now: Instant) -> None:
        """Say when samples come ever later; to be called once a second."""
        self._lateness.look(now)
