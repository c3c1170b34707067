"""Messages to one checked batch: what an engine does with a read, and a replay too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from playwatch.codecs import CODECS
from playwatch.core.refusals import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.intake import Intake
    from playwatch.core.intaken import Intaken
    from playwatch.core.samples import Instant
    from playwatch.ports import Message

log = logging.getLogger("playwatch.replay")


def read(messages: Iterable[Message], intake: Intake, now: Instant) -> Intaken:
    """Return what the messages of one read hold, whatever their bytes are."""
    intake.begin(now)
    for message in messages:
        intake.message(message.topic, message.codec)
        try:
            CODECS[message.codec](message.payload, intake)
        except Exception as error:  # the engine goes on here, and so must a replay
            log.exception("codec %s failed on a message of %s", message.codec, message.topic)
            detail = f"internal error: {type(error).__name__}"
            intake.refuse(Refused(Reason.MALFORMED, detail))
    return intake.finish()
