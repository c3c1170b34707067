"""What `replay` and `backtest` print with `--json`: stable keys, no NaN."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from playwatch.cli.documents import incident_document, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwatch.cli.documents import Document
    from playwatch.core.incidents import Incident
    from playwatch.core.pipeline import Step
    from playwatch.core.samples import Instant
    from playwatch.runtime.backtest import Backtest, Outcome
    from playwatch.runtime.backtest_compare import Difference
    from playwatch.runtime.suggest import Suggestion, Trial


def transition_lines(now: Instant, step: Step) -> Iterator[str]:
    """Iterate over the transitions of a step as JSON lines."""
    for change, incident in step.turns:
        pages = [
            {"channel": delivery.channel, "action": delivery.action.value}
            for delivery in step.changes.deliveries
            if delivery.incident_id == incident.id
        ]
        document = {"at": moment(now.at), "change": change.value, "pages": pages}
        yield json.dumps(document | finite(incident_document(incident)), allow_nan=False)


def backtest_document(found: Backtest) -> Document:
    """Return what a rule set would have done."""
    return {
        "from": moment(found.from_at),
        "until": moment(found.until_at),
        "samples": found.samples,
        "refused": dict(found.refused),
        "late": found.late,
        "incidents_total": len(found.outcomes),
        "pages_total": found.pages,
        "pages_per_week": found.per_week(found.pages),
        "rules": [
            {
                "rule": one.rule,
                "incidents": one.incidents,
                "groups": one.groups,
                "pages": one.pages,
                "pages_per_week": found.per_week(one.pages),
                "in_incident_s": one.in_incident_ms / 1000,
                "in_incident_share": share(one.in_incident_ms, found.length_ms),
            }
            for one in found.sums()
        ],
        "incidents": [outcome_document(outcome, found) for outcome in found.outcomes],
    }


def outcome_document(outcome: Outcome, found: Backtest) -> Document:
    """Return an incident with its length and its pages."""
    lasted_ms = outcome.end_at(found.until_at) - outcome.incident.started_at
    return {
        **finite(incident_document(outcome.incident)),
        "duration_s": lasted_ms / 1000,
        "pages": dict(outcome.pages),
    }


def difference_document(difference: Difference, a: Backtest, b: Backtest) -> Document:
    """Return how the other rule set differs."""
    return {
        "pages_per_week": b.per_week(b.pages),
        "pages_total": b.pages,
        "same": difference.same,
        "only_a": [outcome_document(one, a) for one in difference.only_a],
        "only_b": [outcome_document(one, b) for one in difference.only_b],
        "changed": [
            {
                "a": outcome_document(pair.a, a),
                "b": outcome_document(pair.b, b),
                "later_s": pair.later_ms / 1000,
                "longer_s": pair.longer_ms / 1000,
            }
            for pair in difference.changed
        ],
    }


def suggestion_document(suggestion: Suggestion) -> Document:
    """Return the trade-off and what fits the budget best."""
    best = suggestion.best
    return {
        "rule": suggestion.rule,
        "budget_per_week": suggestion.per_week,
        "best": None if best is None else _trial(best),
        "trials": [_trial(trial) for trial in suggestion.trials],
    }


def _trial(trial: Trial) -> Document:
    return {
        "trigger": str(trial.bound),
        "resolve": str(trial.resolve),
        "for_s": trial.for_s,
        "incidents": trial.incidents,
        "incidents_per_week": trial.incidents_per_week,
        "in_incident_s": trial.in_incident_ms / 1000,
        "is_within_budget": trial.is_within,
    }


def finite(document: Document) -> Document:
    """Return a document with None for what is no number."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in document.items()
    }


def share(part_ms: int, whole_ms: int) -> float | None:
    """Return a share in 0 to 1; None of nothing."""
    return part_ms / whole_ms if whole_ms > 0 else None


def place(incident: Incident) -> str:
    """Return the group of an incident in words."""
    return ", ".join(f"{name}={value or '(none)'}" for name, value in incident.breakdowns)
