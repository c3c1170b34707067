"""What the engine has to say of itself: complaints, each with whom it concerns.

A complaint holds while its cause does. Which of them become incidents, and
when those end, is decided by `playwatch.runtime.self_alerts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.config.quantities import format_duration
from playwatch.core.rules import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwatch.core.incidents import Incident
    from playwatch.runtime.quiet import Silence
    from playwatch.runtime.vitals import Vitals

PREFIX: Final = "playwatch/"
"""Begins the ``rule`` of every self-alert; no rule of a configuration can have a ``/``."""

QUIET: Final = "quiet"
BROKER: Final = "broker"
CHANNEL: Final = "channel"
DEAD_LETTERS: Final = "dead-letters"
RATE_LIMIT: Final = "rate-limit"
STORE: Final = "store"

AWAY_S: Final = 60.0
"""How long a broker may be away before anyone is told."""
NO_STORE_S: Final = 10.0
"""How long the store may refuse commits before anyone is told."""
HELD_BACK_S: Final = 60.0
"""How long a limit may hold a channel back before anyone is told."""
GONE_S: Final = 60.0
"""How long a cause must be gone before its incident ends."""
NO_MORE_DEAD_S: Final = 3600.0
"""How long no delivery may be given up before that incident ends."""

ENDINGS: Final = {
    QUIET: "heard again",
    BROKER: "subscribed again",
    CHANNEL: "nothing holds up the channel any more",
    DEAD_LETTERS: "nothing more was given up for an hour",
    RATE_LIMIT: "nothing is held back any more",
    STORE: "the store takes commits again",
}
"""Why the incident of each kind ends."""

SUBSCRIPTION: Final = "subscription"
SOURCE: Final = "source"
SOURCES: Final = "sources"
_NAMED: Final = 5


def is_self_alert(incident: Incident) -> bool:
    """Return whether an incident is about the engine, and not of a rule."""
    return incident.rule.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is not as it should be.

    Attributes
    ----------
    kind, about
        What, and whom it concerns: together they are its identity.
    summary
        One sentence for a responder.
    measurement, unit, value, limit
        The number behind it, and where it begins to be too much.
    for_s
        How long it must hold before anyone is told.
    until_s
        How long it must be gone before that is over.
    lasted_s
        How long it held before it was noticed.
    channel
        The channel it is about, which is not told of it; empty for none.
    """

    kind: str
    about: tuple[tuple[str, str], ...]
    severity: Severity
    summary: str
    measurement: str
    unit: str
    value: float
    limit: float
    for_s: float = 0.0
    until_s: float = GONE_S
    lasted_s: float = 0.0
    channel: str = ""

    @property
    def rule(self) -> str:
        """What stands for a rule in its incident: ``playwatch/quiet``."""
        return PREFIX + self.kind


class Complaints:
    """Turns how the engine is into complaints; remembers what it has counted."""

    def __init__(self) -> None:
        self._given_up: dict[str, int] = {}

    def of(self, vitals: Vitals, silences: Sequence[Silence]) -> list[Complaint]:
        """Return everything there is to complain of now."""
        found = [
            *(_away(name, why) for name, why in vitals.away.items()),
            *(
                _unwell(name, f" until somebody acts: {why}")
                for name, why in vitals.channels.items()
            ),
            *(_unwell(name, f": {why}") for name, why in vitals.unreachable.items()),
            *(_held_back(name, how) for name, how in vitals.held_back.items()),
            *([] if vitals.can_store else [_NO_STORE]),
            *(_silent(silence) for silence in silences if silence.is_alone),
        ]
        for name, count in vitals.given_up.items():
            if count > self._given_up.get(name, 0):
                found.append(_dead(name, count))
            self._given_up[name] = count
        together: dict[str, list[Silence]] = {}
        for silence in silences:
            if not silence.is_alone:
                together.setdefault(silence.subscription, []).append(silence)
        return [*found, *(_all_silent(name, many) for name, many in together.items())]


_NO_STORE: Final = Complaint(
    STORE,
    (),
    Severity.ERROR,
    "The store refused commits, and evaluation waited",
    "commits_refused_for",
    "s",
    value=NO_STORE_S,
    limit=NO_STORE_S,
    for_s=NO_STORE_S,
)


def _away(name: str, why: str) -> Complaint:
    return Complaint(
        BROKER,
        (("broker", name),),
        Severity.ERROR,
        f"No samples arrive: not subscribed at {name} for more than {AWAY_S:.0f} s ({why})",
        "broker_away_for",
        "s",
        value=AWAY_S,
        limit=AWAY_S,
        for_s=AWAY_S,
    )


def _unwell(name: str, why: str) -> Complaint:
    return Complaint(
        CHANNEL,
        (("channel", name),),
        Severity.ERROR,
        f"Channel {name} delivers nothing{why}",
        "channels_unwell",
        "",
        value=1.0,
        limit=0.0,
        channel=name,
    )


def _held_back(name: str, how: str) -> Complaint:
    return Complaint(
        RATE_LIMIT,
        (("channel", name),),
        Severity.WARNING,
        f"Channel {name} is held back by a rate limit, its receiver's or its own: {how}",
        "channel_held_back_for",
        "s",
        value=HELD_BACK_S,
        limit=HELD_BACK_S,
        for_s=HELD_BACK_S,
        channel=name,
    )


def _dead(name: str, count: int) -> Complaint:
    noun = "delivery was" if count == 1 else "deliveries were"
    return Complaint(
        DEAD_LETTERS,
        (("channel", name),),
        Severity.ERROR,
        f"{count} {noun} given up by channel {name} since the start: somebody was not told",
        "deliveries_given_up",
        "",
        value=float(count),
        limit=0.0,
        until_s=NO_MORE_DEAD_S,
        channel=name,
    )


def _silent(silence: Silence) -> Complaint:
    name, severity = f"Subscription {silence.subscription}", Severity.ERROR
    about: tuple[tuple[str, str], ...] = ((SUBSCRIPTION, silence.subscription),)
    if silence.source:
        name, severity = f"Source {silence.source}", Severity.WARNING
        about = (*about, (SOURCE, silence.source))
    return _quiet(
        about,
        severity,
        f"{name} has been silent for {_words(silence.lasted_s)} ({_usual(silence)})",
        silence,
    )


def _all_silent(subscription: str, many: Sequence[Silence]) -> Complaint:
    names = ", ".join(sorted(silence.source for silence in many)[:_NAMED])
    more = f" and {len(many) - _NAMED} more" if len(many) > _NAMED else ""
    longest = max(many, key=lambda silence: silence.lasted_s)
    return _quiet(
        ((SUBSCRIPTION, subscription), (SOURCES, "many")),
        Severity.ERROR,
        f"{len(many)} sources of {subscription} have fallen silent: {names}{more}",
        longest,
    )


def _quiet(
    about: tuple[tuple[str, str], ...], severity: Severity, summary: str, silence: Silence
) -> Complaint:
    return Complaint(
        QUIET,
        about,
        severity,
        summary,
        "silent_for",
        "s",
        value=silence.lasted_s,
        limit=silence.limit_s,
        lasted_s=silence.lasted_s,
    )


def _usual(silence: Silence) -> str:
    if silence.usual_s is None:
        return f"quiet_after is {_words(silence.limit_s)}"
    return f"usually {_words(max(silence.usual_s, 1.0))} at most"


def _words(seconds: float) -> str:
    """Return a duration to the second, or to the minute from ten minutes on."""
    step = 60 if seconds >= 600 else 1  # noqa: PLR2004 - ten minutes
    return format_duration(max(round(seconds / step), 1) * step)
