"""What silence means to a rule: ``no_data: resolve``, ``{policy: open, after: 5m}``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from playwatch.config.fields import Choice, Seconds, Strict
from playwatch.core.rules import NoData, NoDataPolicy

_AFTER_S: Final = 300.0
_LIMIT_S: Final = 7 * 86_400.0


class NoDataSettings(Strict):
    """What follows when a group that was heard before sends nothing."""

    policy: Annotated[Literal["keep", "resolve", "open"], Choice] = "keep"
    after_s: Seconds | None = Field(
        default=None, ge=1, le=_LIMIT_S, validation_alias="after", serialization_alias="after"
    )

    def core_no_data(self, window_s: float) -> NoData:
        """Return it as the core takes it: by default after 5 minutes, or a whole window."""
        after_s = max(_AFTER_S, window_s) if self.after_s is None else self.after_s
        return NoData(NoDataPolicy(self.policy), after_s)


def _policy_alone(value: object) -> object:
    return value if isinstance(value, dict | NoDataSettings) else {"policy": value}


NoDataField = Annotated[NoDataSettings, BeforeValidator(_policy_alone)]
"""A policy alone, or with its own patience."""
