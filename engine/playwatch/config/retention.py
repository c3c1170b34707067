"""How long things are kept."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from playwatch.config.fields import Seconds, Strict

_DAY_S: Final = 86_400.0
_LONGEST_S: Final = 20 * 366 * _DAY_S


class RetentionSettings(Strict):
    """How long things are kept; what is open or still to be sent always is.

    Attributes
    ----------
    incidents
        Ended incidents with all that was decided, sent and said about them, and
        the silences of their time.
    deliveries
        Each attempt to deliver, once its incident has ended.
    history
        One-minute samples of every series; 0 keeps none.
    audit
        Who changed what; never less than 90 days, for which the store itself
        refuses to remove any of it.
    """

    incidents: Seconds = Field(default=400 * _DAY_S, ge=3600, le=_LONGEST_S)
    deliveries: Seconds = Field(default=90 * _DAY_S, ge=3600, le=_LONGEST_S)
    history: Seconds = Field(default=14 * _DAY_S, ge=0, le=_LONGEST_S)
    audit: Seconds = Field(default=730 * _DAY_S, ge=90 * _DAY_S, le=_LONGEST_S)
