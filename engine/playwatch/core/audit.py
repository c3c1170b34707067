"""The audit: who changed what, when, and how it stood before and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that a person made; never altered, and removed only with an entry that says so.

    Attributes
    ----------
    at
        When, wall clock, milliseconds.
    who
        Who says so.
    what
        Two or three words: ``channel added``, ``incident resolved``.
    subject
        The name or id of what was changed; empty for the whole engine.
    before, after
        How it stood, as JSON would write it; empty where it was not there. No
        secret stands in it: keys are masked before they come here.
    """

    at: int
    who: str
    what: str
    subject: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
