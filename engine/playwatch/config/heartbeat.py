"""A dead-man's switch as people write it."""

from __future__ import annotations

from pydantic import Field

from playwatch.config.fields import Seconds, Strict
from playwatch.config.hooks import SecretUrl  # noqa: TC001 - pydantic reads it


class HeartbeatSettings(Strict):
    """Whom to tell that all is well, so that silence tells that it is not.

    Attributes
    ----------
    url
        What to post to; whoever knows it could keep the switch from tripping,
        so it is masked.
    every_s
        How often.
    """

    url: SecretUrl
    every_s: Seconds = Field(
        default=60.0, ge=10, le=86_400, validation_alias="every", serialization_alias="every"
    )
