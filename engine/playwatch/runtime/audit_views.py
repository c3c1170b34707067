"""Entries of the audit as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwatch.runtime.moments import moment

if TYPE_CHECKING:
    from playwatch.core.audit import AuditEntry


def audit_view(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry of the audit as JSON."""
    return {
        "at": moment(entry.at),
        "who": entry.who,
        "what": entry.what,
        "subject": entry.subject,
        "before": dict(entry.before),
        "after": dict(entry.after),
    }
