"""Roll-ups: one incident that stands for those that a channel's limit would hold back.

A receiver takes so many messages a minute. In a storm the gravest go out one by
one; where a trigger would have to wait for more than a minute, its incident is
told as part of a roll-up instead ("and 212 more"), and so is its end: the
roll-up ends when the last of its incidents has.

Each severity has its own roll-up, because a receiver does not wake anybody a
second time for one key. An incident that rises while it is rolled up is told on
its own from then on, or as part of the graver roll-up.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from playwatch.core.decisions import Decision
from playwatch.core.deliveries import Action, Delivery
from playwatch.core.incidents import ROLLUP, Incident, Status
from playwatch.core.rules import Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

ROLLED_UP: Final = "rolled up"
"""What a decision and an attempt say of a trigger that a roll-up tells."""
_DOUBT: Final = "; perhaps also on its own"


@dataclass(frozen=True, slots=True)
class Member:
    """An incident that a roll-up stands for in one channel.

    Attributes
    ----------
    severity
        Its own when it was rolled up.
    is_doubted
        True when it may have been told on its own before; then its resolve is
        sent as well.
    """

    incident_id: str
    rollup_id: str
    severity: Severity
    is_doubted: bool = False


def is_rollup(incident: Incident) -> bool:
    """Return whether an incident stands for others."""
    return incident.id.startswith(ROLLUP)


def kept(within_a_minute: int) -> int:
    """Return how many triggers of a queue are told on their own.

    Parameters
    ----------
    within_a_minute
        How many messages may go out until a minute from now. One is left to
        the roll-up of each severity.
    """
    return max(1, within_a_minute - len(Severity))


def overflow(
    queue: Sequence[Delivery], routed: Iterable[Delivery], channel: str, count: int
) -> dict[tuple[str, Severity], list[Delivery]]:
    """Return the triggers to roll up, by the key they were routed with and severity.

    Parameters
    ----------
    queue
        What waits for the channel, in the order in which it would be sent: the
        first of each incident.
    routed
        Every trigger of the incidents in the queue, whatever its status.
    count
        How many of the queue are sent on their own.

    Returns
    -------
    dict
        All pending triggers of an incident, under its gravest. Left out are
        incidents that the channel was told of already, or may have been.
    """
    triggers = [each for each in queue if each.action is Action.TRIGGER]
    late = {each.incident_id for each in triggers[count:] if not is_rollup(each.incident)}
    mine = [each for each in routed if each.channel == channel and each.incident_id in late]
    late -= {each.incident_id for each in mine if each.attempts}
    by_incident: dict[str, list[Delivery]] = defaultdict(list)
    for each in mine:
        if each.incident_id in late and not each.status.is_final:
            by_incident[each.incident_id].append(each)
    found: dict[tuple[str, Severity], list[Delivery]] = defaultdict(list)
    for pending in by_incident.values():
        gravest = max(each.incident.severity for each in pending)
        found[pending[0].key_fingerprint, gravest] += pending
    return dict(found)


def rolled_up(
    rollup: Incident | None,
    pending: Sequence[Delivery],
    severity: Severity,
    at: int,
) -> Incident:
    """Return a roll-up that stands for these too, or a new one.

    Parameters
    ----------
    rollup
        The open one, if there is one.
    pending
        The triggers that it tells, of one channel and one key.
    """
    newest = {each.incident_id: each.incident for each in pending}
    if rollup is None:
        rollup = _opened(pending[0], severity, at)
    rules = {rollup.rule, *(one.rule for one in newest.values())}
    count = rollup.sample_size + len(newest)
    grown = replace(
        rollup,
        rule=rules.pop() if len(rules) == 1 else "several rules",
        sample_size=count,
        measured_value=float(count),
        peak_value=float(count),
        affected_viewers=rollup.affected_viewers
        + sum(one.affected_viewers for one in newest.values()),
    )
    more = "incident" if count == 1 else "incidents"
    summary = (
        f"and {count:,} more {severity.word} {more} of {grown.rule}: more than the rate limit of"
        f" {pending[0].channel} lets through"
    )
    return replace(grown, summary=summary)


def _opened(first: Delivery, severity: Severity, at: int) -> Incident:
    what = repr((first.channel, first.key_fingerprint, severity.word, first.id))
    key = hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
    return Incident(
        id=f"{ROLLUP}{key[:12]}",
        incident_key=key,
        rule=first.incident.rule,
        scope=first.key_fingerprint,
        alert_type=first.incident.alert_type,
        status=Status.OPEN,
        severity=severity,
        measurement="",
        unit="",
        breakdowns=(("channel", first.channel),),
        measured_value=0.0,
        peak_value=0.0,
        threshold=math.nan,
        bound="",
        sample_size=0,
        affected_viewers=0,
        started_at=first.incident.started_at,
        opened_at=at,
        window_s=0.0,
    )


def ended(rollup: Incident, at: int) -> Incident:
    """Return a roll-up whose incidents are over."""
    at = max(at, rollup.opened_at)
    reason = f"all {rollup.sample_size:,} are over or told on their own"
    return rollup.ended(Status.CLOSED, reason=reason, resolved_at=at, ended_at=at, value=0.0)


def message(rollup: Incident, action: Action, at: int) -> Delivery:
    """Return the trigger of a roll-up as it stands, or its resolve."""
    (_, channel), *_ = rollup.breakdowns
    name = f"trigger/{rollup.sample_size}" if action is Action.TRIGGER else "resolve"
    return Delivery(
        id=f"{rollup.id}/{channel}/{name}",
        incident=rollup,
        channel=channel,
        key_fingerprint=rollup.scope,
        action=action,
        dedup_key=rollup.dedup_key,
        created_at=at,
    )


def word(channel: str) -> str:
    """Return what the decisions say that make members for a channel."""
    return f"{ROLLED_UP}/{channel}"


def decisions(
    rollup: Incident, pending: Iterable[Delivery], at: int, doubted: Collection[str]
) -> list[Decision]:
    """Return the records that incidents are told by a roll-up.

    Parameters
    ----------
    doubted
        Ids of deliveries that an earlier process may have sent.
    """
    by_incident: dict[str, list[Delivery]] = defaultdict(list)
    for each in pending:
        by_incident[each.incident_id].append(each)
    return [
        Decision(
            incident_id=incident_id,
            at=at,
            what=word(mine[0].channel),
            severity=max(each.incident.severity for each in mine).word,
            reason=rollup.id + (_DOUBT if any(each.id in doubted for each in mine) else ""),
        )
        for incident_id, mine in by_incident.items()
    ]


def member_of(decision: Decision) -> Member:
    """Return what such a record says."""
    rollup_id = decision.reason.removesuffix(_DOUBT)
    severity = Severity[decision.severity.upper()]
    return Member(decision.incident_id, rollup_id, severity, rollup_id != decision.reason)
