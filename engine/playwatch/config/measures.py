"""Metrics of an installation's own, beside Mux's."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final, Literal

from pydantic import ValidationInfo, field_validator

from playwatch.config.fields import Choice, Flag, Number, Strict, Text, mistake
from playwatch.core.metrics import Catalogue, Merge, Metric, Worse

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_WHOLE_SHARE: Final = 100.0


class MetricSettings(Strict):
    """A metric that is not in the catalogue.

    The order of the fields matters: a field is checked against those above it.
    """

    key: Text
    unit: str = ""
    worse: Annotated[Literal["high", "low", "either"], Choice] = "either"
    merge: Annotated[Literal["mean", "sum", "latest"], Choice] = "mean"
    low: Number = 0.0
    high: Number | None = None
    proportion: Flag = False

    @field_validator("key")
    @classmethod
    def _is_new(cls, key: str) -> str:
        key = key.replace("-", "_")
        if not _KEY.fullmatch(key):
            message = f"'{key}' is not a key"
            raise mistake(message, "up to 100 small letters, digits and '_', a letter first")
        if Catalogue().find(key):
            message = f"'{key}' is in the catalogue already"
            raise mistake(message, "rules can name it as it is")
        return key

    @field_validator("high")
    @classmethod
    def _is_range(cls, high: float | None, info: ValidationInfo) -> float | None:
        low = info.data.get("low")
        if high is not None and low is not None and high <= low:
            message = f"high is {high:g}, low is {low:g}: no value is valid"
            raise mistake(message)
        return high

    @field_validator("proportion")
    @classmethod
    def _is_percentage(cls, proportion: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - a field
        if proportion:
            for name, allowed in _OF_A_PROPORTION.items():
                if info.data.get(name, allowed[0]) not in allowed:
                    message = "a proportion is a percentage of views, from 0 to 100, merged by mean"
                    raise mistake(message, f"{name} says otherwise")
        return proportion

    def core_metric(self) -> Metric:
        """Return the metric as the catalogue takes it."""
        greatest = _WHOLE_SHARE if self.proportion else math.inf
        return Metric(
            key=self.key,
            unit=self.unit or ("%" if self.proportion else ""),
            worse=Worse(self.worse),
            merge=Merge(self.merge),
            is_proportion=self.proportion,
            low=self.low,
            high=greatest if self.high is None else self.high,
        )


_OF_A_PROPORTION: Final[dict[str, tuple[object, ...]]] = {
    "unit": ("", "%"),
    "merge": ("mean",),
    "low": (0.0,),
    "high": (None, _WHOLE_SHARE),
}
