"""The one line that a responder reads first."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.core.incidents import Cause, Incident

FIELDS = frozenset({"value", "bound", "views", "affected", "flaps", "rule", "metric", "severity"})
"""What a rule's ``summary`` may name, beside the dimensions in its ``by``."""

_DAY_WEEKS: Final = 1 / 7
_YEAR_WEEKS: Final = 52.18
_LONG_WEEKS: Final = 5_218.0


class _Plain(string.Formatter):
    """Formats named fields only: no positions, no attributes, no indexing."""

    def get_field(
        self,
        field_name: str,
        args: object,
        kwargs: Mapping[str, object],
    ) -> tuple[object, str]:
        """Return the field of exactly this name."""
        del args
        return kwargs[field_name], field_name


def summarise(incident: Incident, template: str = "") -> str:
    """Return what is wrong, by how much, for whom.

    Parameters
    ----------
    template
        The rule's own text with named fields; empty for the built-in one. A
        template that cannot be filled falls back to the built-in one, because
        a page with plainer words beats no page. So does an incident of missing
        data, which has no value to name.
    """
    if template and not incident.is_silence:
        try:
            return _Plain().vformat(template, (), _fields(incident))
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError, MemoryError):
            pass
    times = "once" if incident.flaps == 1 else f"{incident.flaps} times"
    flaps = f", flapped {times}" if incident.flaps else ""
    return _built_in(incident) + flaps


def _built_in(incident: Incident) -> str:
    where = ", ".join(f"{name}={value or '(none)'}" for name, value in incident.breakdowns)
    title = incident.measurement.replace("_", " ").capitalize()
    place = f" in {where}" if where else ""
    if incident.is_silence:
        return f"{title}{place}: {incident.bound}"
    reading = f"{title} {quantity(incident.measured_value, incident.unit)}"
    if incident.expected is not None:
        return f"{reading} ({incident.bound}){place}{_impact(incident)}"
    if incident.unit == "viewers":
        return f"{reading} ({incident.bound}){place}"
    views = f"{incident.sample_size:,} {'view' if incident.sample_size == 1 else 'views'}"
    if not incident.affected_viewers:
        hit = f"over {views}"
    elif incident.affected_viewers == incident.sample_size:
        hit = f"{views} affected"
    else:
        hit = f"{incident.affected_viewers:,} of {views} affected"
    return f"{reading} ({incident.bound}){place}: {hit}"


def band(low: float, high: float, unit: str) -> str:
    """Return what is normal in words: ``0.4 to 1.9 %``."""
    return f"{_number(low)} to {_number(high)}{_unit(unit)}"


def rarity(weeks: float) -> str:
    """Return how rare something is, in words: ``about once in 14 weeks``."""
    if weeks < _DAY_WEEKS:
        return "more than once a day"
    if weeks < 1:
        return f"about {1 / weeks:.0f} times a week" if weeks <= 2 / 3 else "about once a week"
    if weeks < _YEAR_WEEKS:
        return f"about once in {weeks:.0f} weeks" if weeks >= 3 / 2 else "about once a week"
    if weeks < 3 / 2 * _YEAR_WEEKS:
        return "about once a year"
    if weeks < _LONG_WEEKS:
        return f"about once in {weeks / _YEAR_WEEKS:.0f} years"
    return "less than once in 100 years"


def share_of(cause: Cause) -> str:
    """Return a cause in words: ``83 % of it in cdn=fastly, country=DE``."""
    where = ", ".join(f"{name}={value}" for name, value in cause.breakdowns)
    return f"{cause.share:.0%}".replace("%", " %") + f" of it in {where}"


def _impact(incident: Incident) -> str:
    hit = incident.affected_viewers
    who = "viewers" if incident.unit == "viewers" else "views"
    parts = [f"{hit:,} {who} affected"] if hit else []
    parts += [share_of(cause) for cause in incident.causes[:1]]
    return ": " + ", ".join(parts) if parts else ""


def duration(seconds: float) -> str:
    """Return a duration in words: ``24 h``, ``5 min``, ``90 s``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _fields(incident: Incident) -> dict[str, str | float | int]:
    return {
        **dict(incident.breakdowns),
        "value": incident.measured_value,
        "bound": incident.threshold,
        "views": incident.sample_size,
        "affected": incident.affected_viewers,
        "flaps": incident.flaps,
        "rule": incident.rule,
        "metric": incident.measurement,
        "severity": incident.severity.word,
        **({} if incident.expected is None else {"expected": incident.expected}),
    }


def quantity(value: float, unit: str) -> str:
    """Return a value with its unit, in as many digits as people read."""
    return f"{_number(value)}{_unit(unit)}"


def _number(value: float) -> str:
    """Return a value with up to three significant decimals and no trailing zeros."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - a thousand


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
