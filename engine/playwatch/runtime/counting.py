"""What one read brought, counted in the engine's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwatch.core.intaken import Intaken
    from playwatch.core.pipeline import Step
    from playwatch.core.samples import Instant
    from playwatch.telemetry import Telemetry


def count_read(telemetry: Telemetry, intaken: Intaken, step: Step, now: Instant) -> None:
    """Count what was received, refused, repeated, missed, and how late it is."""
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
