"""The seasonal detector stopped early, to see what each of its stages adds.

Scores are in noises, so each has a threshold of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from playwatch_models.seasonal import SeasonalDetector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch_models.lesson import Lesson
    from playwatch_models.memory import Memory
    from playwatch_models.residuals import Residuals

    Floats = NDArray[np.float32]
    Scores = NDArray[np.float64]

__all__ = ["STAGES", "Agreement", "ProfileAlone"]


class ProfileAlone(SeasonalDetector):
    """Scores by how many noises a value is off its time of the day."""

    def _score(self, memory: Memory, chunk: Lesson, found: Residuals, rarities: Floats) -> Scores:
        del memory, chunk, rarities
        return np.abs(found.season).astype(np.float64)

    def _is_worse(self, agreed: Floats) -> NDArray[np.bool_]:
        return np.ones(len(agreed), np.bool_)


class Agreement(ProfileAlone):
    """Scores by the smaller of both residuals, where they agree."""

    def _score(self, memory: Memory, chunk: Lesson, found: Residuals, rarities: Floats) -> Scores:
        del memory, chunk, rarities
        return np.abs(found.agreed).astype(np.float64)


STAGES = {"profile": ProfileAlone, "agreement": Agreement}
