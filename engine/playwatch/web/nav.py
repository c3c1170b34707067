"""The navigation: which pages there are, in order."""

from __future__ import annotations

from typing import Final

NAV: Final = (
    ("incidents", "Incidents"),
    ("series", "Metrics"),
    ("rules", "Rules"),
    ("channels", "Notification channels"),
    ("silences", "Silences"),
    ("model", "Model"),
    ("status", "Status"),
)
"""Path and name of each page."""
