"""Edits: what becomes of a rule's state when the rule is another one now.

A change of what is watched, or of the side on which the metric is bad, starts
the rule anew and closes its incidents. Any other change is judged by from here
on: groups, windows, phases and incidents stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwatch.core.rules import Rule


class EditKind(Enum):
    """What a reload did to a rule."""

    SAME = "same"
    ADDED = "added"
    EDITED = "edited"
    """Bounds, durations or texts: its incidents are judged on."""
    REPLACED = "replaced"
    """It watches something else, or closes on every edit: its incidents are closed."""
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class RuleEdit:
    """What a reload did to one rule, and to the incidents that it had open.

    Attributes
    ----------
    kept, closed
        Ids of incidents.
    """

    rule: str
    kind: EditKind
    kept: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def kind_of(before: Rule, after: Rule) -> EditKind:
    """Return what an edit from one rule to another of the same name means."""
    if before == after:
        return EditKind.SAME
    return EditKind.EDITED if before.scope == after.scope else EditKind.REPLACED
