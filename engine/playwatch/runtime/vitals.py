"""Vitals: how the parts of the engine are at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from playwatch.ports import Source


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the parts of the engine are at one moment.

    Attributes
    ----------
    away
        By source that is not subscribed, why.
    can_store
        False while the store refuses commits.
    channels
        By channel that waits for the operator, what he has to do.
    unreachable
        By channel whose receiver does not answer, why.
    held_back
        By channel that a limit holds back, how much waits.
    given_up
        By channel, deliveries given up since the start.
    """

    away: Mapping[str, str] = field(default_factory=dict)
    can_store: bool = True
    channels: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    held_back: Mapping[str, str] = field(default_factory=dict)
    given_up: Mapping[str, int] = field(default_factory=dict)


class Committing(Protocol):
    """A part of the engine that needs the store."""

    @property
    def can_store(self) -> bool:
        """False while the store refuses it."""


class Delivering(Committing, Protocol):
    """The part that sends."""

    def complaints(self) -> dict[str, str]:
        """Return, by channel, what the operator has to do."""

    def away(self) -> dict[str, str]:
        """Return, by channel whose receiver does not answer, why."""

    def held_back(self) -> dict[str, str]:
        """Return, by channel that a limit holds back, how much waits there."""

    def given_up(self) -> dict[str, int]:
        """Return, by channel, how many deliveries were given up since the start."""


def vitals_of(
    sources: Iterable[Source],
    evaluator: Committing,
    outbox: Delivering,
    unusable: Mapping[str, str] | None = None,
) -> Vitals:
    """Return how these parts are now; nothing is sent to find out.

    Parameters
    ----------
    unusable
        By channel that should be there and is not, why.
    """
    unwell, unreachable = {**(unusable or {}), **outbox.complaints()}, outbox.away()
    return Vitals(
        away={
            source.name: source.trouble or "not subscribed yet"
            for source in sources
            if not source.is_subscribed
        },
        can_store=evaluator.can_store and outbox.can_store,
        channels={name: why for name, why in unwell.items() if name not in unreachable},
        unreachable={name: why for name, why in unreachable.items() if name in unwell},
        held_back=outbox.held_back(),
        given_up=outbox.given_up(),
    )
