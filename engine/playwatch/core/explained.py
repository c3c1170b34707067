"""Why an anomaly is one, in words: what was normal, what speaks for it, how rare it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.core.summary import band, quantity, rarity, share_of

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident

_EVIDENCE: Final = {
    "seasonal": "far from this time of the week and from the last hour",
    "burst": "more than chance explains, over a few intervals",
    "drift": "small excesses that add up",
    "learned": "like incidents that were learned from",
}


def explained(incident: Incident) -> dict[str, str]:
    """Return what a model knows of an incident, by a word for each; empty for a threshold."""
    if not incident.evidence:
        return {}
    told = {
        "expected": _expected(incident),
        "evidence": _EVIDENCE.get(incident.evidence, incident.evidence),
        "rarity": "" if incident.once_in_weeks is None else rarity(incident.once_in_weeks),
        "cause": "; ".join(share_of(cause) for cause in incident.causes),
        "hit": hit(incident),
        "same_cause_as": incident.related_to,
    }
    return {name: text for name, text in told.items() if text}


def hit(incident: Incident) -> str:
    """Return whom an incident hit beyond what is normal: ``1,450 views, 2,900 an hour``."""
    views = max(incident.affected_views, incident.affected_viewers)
    if not views:
        return ""
    who = "viewers" if incident.unit == "viewers" else "views"
    rate = incident.affected_per_hour or incident.affected_per_hour_on_open
    return f"{views:,} {who}" + (f", {rate:,.0f} an hour" if rate else "")


def _expected(incident: Incident) -> str:
    if incident.expected is None:
        return ""
    middle = quantity(incident.expected, incident.unit)
    if incident.expected_low is None or incident.expected_high is None:
        return middle
    return f"{middle}, {band(incident.expected_low, incident.expected_high, incident.unit)}"
