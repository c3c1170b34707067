"""The standard output of the engine: one line per delivery.

Limits
------
None but the patience of whoever reads it. An output that nobody takes stops the
line, not the engine's other channels.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from playwatch.channels.wording import headline, lasted, place
from playwatch.core.deliveries import Action, Misconfigured, Sent

if TYPE_CHECKING:
    from typing import TextIO

    from playwatch.config.schema import ConsoleSettings
    from playwatch.core.deliveries import Attempt, Delivery


class ConsoleChannel:
    """Prints ``TRIGGER critical playback-failures country=DE: ...``.

    Parameters
    ----------
    settings
        Its name.
    stream
        Where to print; None for whatever standard output is at that moment.
    """

    def __init__(self, settings: ConsoleSettings, stream: TextIO | None = None) -> None:
        self._name = settings.name
        self._stream = stream

    @property
    def name(self) -> str:
        """The name of the channel in the configuration."""
        return self._name

    @property
    def key_fingerprint(self) -> str:
        """Empty: a console has no key."""
        return ""

    async def send(self, delivery: Delivery) -> Attempt:
        """Print one line; only a closed output can fail."""
        stream = sys.stdout if self._stream is None else self._stream
        encoding = getattr(stream, "encoding", None) or "utf-8"
        line = line_of(delivery).encode(encoding, "backslashreplace").decode(encoding)
        try:
            stream.write(f"{line}\n")
            stream.flush()
        except (OSError, ValueError) as error:
            return Misconfigured(f"the console cannot be written to ({type(error).__name__})")
        return Sent("printed")

    async def close(self) -> None:
        """Do nothing: the stream belongs to the process."""


def line_of(delivery: Delivery) -> str:
    """Return a delivery as one printable line; control characters are escaped."""
    incident = delivery.incident
    group = place(incident.breakdowns)
    what = " ".join(
        part
        for part in (
            delivery.action.value.upper(),
            incident.severity.word,
            incident.rule,
            group,
        )
        if part
    )
    said = headline(incident)
    if delivery.action is Action.RESOLVE:
        said = f"{lasted(incident)} - was: {said}"
    return _printable(f"{what}: {said} [{incident.id}]")


def _printable(text: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
