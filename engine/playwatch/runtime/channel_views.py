"""Channels as people and programs see them: never with a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwatch.channels import fingerprint, last_four
from playwatch.config.channel_body import masked_settings
from playwatch.runtime.moments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.runtime.roster import Member

_COMMON: Final = (
    "alert_types",
    "min_severity",
    "rules",
    "metrics",
    "where",
    "self_alerts",
    "severity_map",
    "send_resolved",
    "rate_limit",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """How a channel is.

    Attributes
    ----------
    state
        ``working``, ``limited``, ``misconfigured``, ``away``; empty while no engine runs.
    complaint
        What is wrong, in words; empty for nothing.
    given_up
        Deliveries given up since the engine started.
    open_incidents
        Ids of the open incidents that it was told of.
    pending, oldest_pending_at
        What waits to be delivered, and since when.
    """

    state: str = ""
    complaint: str = ""
    given_up: int = 0
    open_incidents: Sequence[str] = ()
    pending: int = 0
    oldest_pending_at: int | None = None


def channel_view(member: Member, condition: Condition) -> dict[str, Any]:
    """Return a channel as JSON: its key by its end and its fingerprint."""
    stored, settings = member.stored, member.settings
    masked = dict(stored.settings) if stored else {}
    key, mark = "", stored.key_fingerprint if stored else ""
    if settings is not None:
        masked = masked_settings(settings)
        is_unset = settings.key.startswith("${")
        key = settings.key if is_unset else last_four(settings.key)
        mark = "" if is_unset else fingerprint(settings.key)
    state = condition.state
    if stored is not None and not stored.is_enabled:
        state = "disabled"
    elif member.trouble:
        state = "unusable"
    return {
        "name": member.name,
        "service": masked.get("service", ""),
        "origin": "configuration" if stored is None else "run time",
        "enabled": stored is None or stored.is_enabled,
        "state": state,
        "complaint": member.trouble or condition.complaint,
        "key": key,
        "fingerprint": mark,
        **{name: masked.get(name) for name in _COMMON},
        "options": {
            name: value
            for name, value in masked.items()
            if name not in {"name", "service", *_COMMON}
        },
        "added_at": moment(stored.added_at if stored else None),
        "added_by": stored.added_by if stored else None,
        "open_incidents": list(condition.open_incidents),
        "pending": condition.pending,
        "oldest_pending_at": moment(condition.oldest_pending_at),
        "given_up": condition.given_up,
    }
