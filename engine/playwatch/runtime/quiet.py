"""Who has fallen silent: a source that is gone is told from a quiet night.

What is usual is learned, for each subscription and for each ``source`` named
in its messages. Of the silences of the last 24 hours the longest is left out,
so that a single outage teaches nothing. Three times the next one, and at least a
minute, is unusual. A night with longer silences is learned by its second one,
and whoever slows down by degrees is never told of.

Silence is counted only while someone listens: a broker that is away, or an
engine that stands still, is not the fault of a source.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.runtime.voices import Voice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from playwatch.config.quiet import QuietAfter

FACTOR: Final = 3.0
FLOOR_MS: Final = 60_000
"""A silence is unusual from so many times the usual one, and from this on."""

CROWD: Final = 100
"""Sources of one subscription above which they are viewers, who come and go."""

ALONE: Final = 5
"""Silent sources of one subscription that are told of one by one."""

FORGET_MS: Final = 86_400_000
"""Silence after which a source is no longer expected."""

_MOST_SOURCES: Final = 10_000
_LONGEST_STEP_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Silence:
    """One who is silent for longer than usual.

    Attributes
    ----------
    subscription, source
        Who; without a source it is the subscription as a whole.
    lasted_s
        Since when it has not been heard, while someone listened.
    usual_s
        How long its silences are at most, as a rule; None where the limit was given.
    limit_s
        From when on silence is unusual.
    is_alone
        False for one of many, who are told of together.
    """

    subscription: str
    source: str
    lasted_s: float
    usual_s: float | None
    limit_s: float
    is_alone: bool = True


class Quiet:
    """Listens to everyone and tells who has fallen silent.

    Parameters
    ----------
    subscriptions
        Topic filters, each with its patience: learned, none, or in seconds.

    Notes
    -----
    Hearing costs about 1.5 µs a name and read, a tick 0.3 µs a name, memory
    about 1 kB a name. Where patience is learned, a subscription with more than
    100 sources has viewers for sources, who stop whenever they like: it is then
    listened to as a whole.
    """

    def __init__(self, subscriptions: Mapping[str, QuietAfter]) -> None:
        self._after: dict[str, QuietAfter] = {}
        self._wholes: dict[str, Voice] = {}
        self._sources: dict[str, dict[str, Voice]] = {}
        self._crowds: set[str] = set()
        self._at = 0
        self._monotonic_ms: int | None = None
        self._is_listening = False
        self.reconfigure(subscriptions)

    @property
    def crowds(self) -> frozenset[str]:
        """The subscriptions whose sources are too many to be listened to one by one."""
        return frozenset(self._crowds)

    def reconfigure(self, subscriptions: Mapping[str, QuietAfter]) -> None:
        """Listen to these subscriptions from here on; what is known of them stays."""
        self._after = {name: after for name, after in subscriptions.items() if after != "off"}
        self._crowds.clear()
        for gone in set(self._wholes) - set(self._after):
            del self._wholes[gone], self._sources[gone]
        for name in self._after:
            self._wholes.setdefault(name, Voice(self._at, self._at))
            self._sources.setdefault(name, {})

    def heard(self, subscription: str, sources: Collection[str], monotonic_ms: int) -> None:
        """Note that a subscription brought something, and who spoke there."""
        if subscription not in self._after:
            return
        self._advance(monotonic_ms)
        whole, known = self._wholes[subscription], self._sources[subscription]
        if whole.is_silent:
            self._refresh(subscription)
        whole.speak(self._at)
        for source in sources:
            voice = known.get(source) or self._welcome(subscription, source)
            if voice is not None:
                voice.speak(self._at)

    def tick(self, monotonic_ms: int, *, is_listening: bool) -> None:
        """Let time pass; without a connection nobody is expected to be heard."""
        self._advance(monotonic_ms)
        self._is_listening = is_listening
        for name, whole in self._wholes.items():
            whole.is_silent = whole.is_silent or self._is_overdue(name, whole)
            if not whole.is_silent:
                self._look_for_silent_sources(name)

    def silences(self) -> list[Silence]:
        """Return everyone who is silent for longer than usual."""
        return [
            Silence(
                subscription,
                source,
                lasted_s=(self._at - voice.heard_at) / 1000,
                usual_s=voice.usual_ms / 1000 if self._after[subscription] == "auto" else None,
                limit_s=min(self._limit_ms(subscription, voice), FORGET_MS) / 1000,
                is_alone=voice.is_alone,
            )
            for subscription, source, voice in self._everyone()
            if voice.is_silent
        ]

    def miss(self, subscription: str, source: str, silent_s: float) -> None:
        """Take over one who was silent already, until it speaks again."""
        if subscription not in self._after:
            return
        voice = self._wholes[subscription]
        if source:
            if source in self._sources[subscription]:
                return
            voice = self._sources[subscription][source] = Voice(self._at, self._at)
        if not voice.is_silent:
            voice.is_silent = True
            voice.heard_at = self._at - round(silent_s * 1000)

    def is_known(self, subscription: str, source: str) -> bool:
        """Return whether one is listened to; a day of silence ends that for a source."""
        return subscription in self._after and (not source or source in self._sources[subscription])

    def state(self) -> bytes:
        """Return what was learned, for the next process."""
        voices = [(one, two, voice.state(self._at)) for one, two, voice in self._everyone()]
        return json.dumps({"version": 1, "voices": voices}).encode()

    def restore(self, state: bytes) -> None:
        """Take over what an earlier process learned; silence counts from here on.

        Raises
        ------
        ValueError
            If it cannot be read; then nothing is taken over.
        """
        try:
            saved = json.loads(state)
            version = saved["version"]
            voices = [
                (str(one), str(two), Voice.restored(voice, self._at))
                for one, two, voice in (saved["voices"] if version == 1 else ())
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            message = f"is not what was saved ({type(error).__name__})"
            raise ValueError(message) from error
        for subscription, source, voice in voices:
            if subscription in self._after:
                if source:
                    self._sources[subscription][source] = voice
                else:
                    self._wholes[subscription] = voice

    def _everyone(self) -> Iterator[tuple[str, str, Voice]]:
        for subscription, whole in self._wholes.items():
            yield subscription, "", whole
            for source, voice in self._sources[subscription].items():
                yield subscription, source, voice

    def _advance(self, monotonic_ms: int) -> None:
        """Move the listening clock on; of a step longer than any tick only a part counts."""
        if self._monotonic_ms is not None and self._is_listening:
            self._at += min(max(monotonic_ms - self._monotonic_ms, 0), _LONGEST_STEP_MS)
        self._monotonic_ms = monotonic_ms

    def _welcome(self, subscription: str, source: str) -> Voice | None:
        """Return the voice of a new source, unless it is one too many."""
        known = self._sources[subscription]
        is_auto = self._after[subscription] == "auto"
        if not source or subscription in self._crowds:
            return None
        if len(known) >= (CROWD if is_auto else _MOST_SOURCES):
            if is_auto:
                self._crowds.add(subscription)
                known.clear()
            return None
        voice = known[source] = Voice(self._at, self._at)
        return voice

    def _limit_ms(self, subscription: str, voice: Voice) -> float:
        after = self._after[subscription]
        if not isinstance(after, str):
            return after * 1000
        return max(FLOOR_MS, FACTOR * voice.usual_ms) if voice.is_expected else FORGET_MS

    def _is_overdue(self, subscription: str, voice: Voice) -> bool:
        silent_ms = self._at - voice.heard_at
        if self._after[subscription] == "auto" and not voice.is_expected:
            return False
        return silent_ms > self._limit_ms(subscription, voice)

    def _look_for_silent_sources(self, subscription: str) -> None:
        """Mark sources as silent: the first few alone, more of them together."""
        known = self._sources[subscription]
        for source in [s for s, v in known.items() if self._at - v.heard_at > FORGET_MS]:
            del known[source]
        fallen = [
            voice
            for voice in known.values()
            if not voice.is_silent and self._is_overdue(subscription, voice)
        ]
        if fallen:
            alone = sum(voice.is_silent and voice.is_alone for voice in known.values())
            for voice in fallen:
                voice.is_silent = True
                voice.is_alone = alone + len(fallen) <= ALONE

    def _refresh(self, subscription: str) -> None:
        """Give every source of a subscription that is back the time to come back too."""
        for voice in self._sources[subscription].values():
            if not voice.is_silent:
                voice.heard_at = self._at
                voice.is_fresh = True
