"""Evaluates gradient-boosted trees with plain arrays, many rows at once.

Every tree is laid out as a full binary tree of one depth, so that a row walks all trees
in step: child ``2 i + 1`` or ``2 i + 2``, by one comparison. The sum of the leaves is the
log-odds of an incident; a table of quantiles, made on series that the trees had not seen,
turns it into how rare such a verdict is where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Forest", "Jury"]


class Jury(Protocol):
    """Says how rare it is that an odd interval looks like this and is no incident."""

    def rarity(self, table: NDArray[np.float32], group: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return ``-log10`` of that, shape ``(n,)``.

        Parameters
        ----------
        table
            Features, shape ``(n, features)``.
        group
            Whose they are, shape ``(n,)``.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees of one depth ``d``, and the scale of their verdicts.

    Attributes
    ----------
    feature
        Which feature each inner node compares, int16, shape ``(trees, 2**d - 1)``.
    threshold
        Rows with at most this go left, float32, the same shape.
    leaf
        What each leaf adds to the log-odds, float32, shape ``(trees, 2**d)``.
    base
        Log-odds before any tree.
    odds, rarities
        Log-odds, rising, and the ``-log10`` of how often an interval without an
        incident reaches them, float32, of one length.
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    leaf: NDArray[np.float32]
    base: float
    odds: NDArray[np.float32]
    rarities: NDArray[np.float32]

    def log_odds(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log-odds of an incident.

        Parameters
        ----------
        table
            Features, shape ``(n, features)``; finite.
        """
        trees, inner = self.feature.shape
        feature, threshold = self.feature.ravel(), self.threshold.ravel()
        start = np.arange(trees, dtype=np.int32)[:, None] * inner
        node = np.zeros((trees, len(table)), np.int32)
        columns = np.ascontiguousarray(table.T).ravel()
        row = np.arange(len(table), dtype=np.int32)
        for _ in range(inner.bit_length()):
            at = start + node
            seen = columns[feature[at].astype(np.int32) * len(table) + row]
            node = 2 * node + 1 + (seen > threshold[at])
        leaves = np.take_along_axis(self.leaf, node - inner, axis=1)
        total: NDArray[np.float32] = leaves.sum(axis=0) + np.float32(self.base)
        return total

    def rarity(self, table: NDArray[np.float32], group: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return how rare the verdicts are, beyond the scale too; see `Jury.rarity`."""
        del group
        odds = self.log_odds(table)
        rarity = np.interp(odds, self.odds, self.rarities)
        slope = (self.rarities[-1] - self.rarities[-2]) / (self.odds[-1] - self.odds[-2])
        beyond = np.maximum(odds - self.odds[-1], 0)
        found: NDArray[np.float64] = rarity + slope * beyond
        return found
