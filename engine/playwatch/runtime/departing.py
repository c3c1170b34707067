"""Lets new series have the rows of those that are long gone, and counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.core.departures import Departures

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from playwatch.core.intake import Intake
    from playwatch.core.pipeline import Pipeline
    from playwatch.core.samples import Instant
    from playwatch.telemetry import Telemetry


class Departing:
    """Gives up rows between two steps of an engine.

    Attributes
    ----------
    forget
        Called with rows that other series may take from now on.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._departures = Departures()
        self.forget: Callable[[NDArray[np.intp]], None] = lambda _: None

    def look(self, pipeline: Pipeline, intake: Intake, now: Instant) -> None:
        """Give up what is due; see `playwatch.core.departures`."""
        rows = self._departures.look(pipeline.series, pipeline.lookout, intake, now)
        if len(rows):
            self.forget(rows)
            self._telemetry.series_given_up.inc(len(rows))
            self._telemetry.series.set(pipeline.series.live)
