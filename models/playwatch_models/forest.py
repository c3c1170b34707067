"""Grows a forest with scikit-learn; the only file that knows it, and only to train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from playwatch_models.features import FEATURES
from playwatch_models.trees import Forest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PARAMETERS", "grow"]

DEPTH = 5
_LEAST = np.float32(-np.inf)
PARAMETERS = {
    "max_iter": 70,
    "learning_rate": 0.1,
    "max_depth": DEPTH,
    "max_leaf_nodes": 16,
    "min_samples_leaf": 80,
    "l2_regularization": 5.0,
    "early_stopping": False,
}
_RISING = {
    "agreed",
    "season",
    "local",
    "rarity_season",
    "rarity_local",
    "rarity_agreed",
    "rarity_fresh",
    "novelty",
    "share_season",
    "share_local",
    "hours_since",
    "peak_share",
}
"""More of these never makes an incident less likely: higher, rarer, newer."""
_FALLING = {"times_seen", "restlessness"}
"""More of these never makes one more likely: what recurs is not news."""


def grow(
    table: NDArray[np.float32],
    is_incident: NDArray[np.bool_],
    weight: NDArray[np.float64],
    seed: int,
) -> Forest:
    """Return a forest that tells incidents from what only looks odd.

    Parameters
    ----------
    table
        Features of odd intervals, shape ``(n, len(FEATURES))``.
    is_incident, weight
        What each is, and how much it counts, shape ``(n,)``.
    seed
        Seed of the binning.
    """
    trend = [(name in _RISING) - (name in _FALLING) for name in FEATURES]
    model = HistGradientBoostingClassifier(**PARAMETERS, monotonic_cst=trend, random_state=seed)
    model.fit(table, is_incident, sample_weight=weight)
    trees = [stage[0].nodes for stage in model._predictors]  # noqa: SLF001 - its only form
    inner, leaves = 2**DEPTH - 1, 2**DEPTH
    feature = np.zeros((len(trees), inner), np.int16)
    threshold = np.full((len(trees), inner), np.inf, np.float32)
    leaf = np.zeros((len(trees), leaves), np.float32)
    for number, nodes in enumerate(trees):
        _lay_out(nodes, 0, 0, (feature[number], threshold[number], leaf[number]))
    base = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001 - its only form
    scale = np.array([-6.0, 6.0], np.float32)
    return Forest(feature, threshold, leaf, base, scale, scale - scale[0])


def _lay_out(
    nodes: NDArray[np.void],
    source: int,
    target: int,
    arrays: tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Copy a node and what is below it to its place in the full tree."""
    feature, threshold, leaf = arrays
    node = nodes[source]
    if node["is_leaf"]:
        while target < len(feature):
            target = 2 * target + 1
        leaf[target - len(feature)] = node["value"]
        return
    feature[target] = node["feature_idx"]
    bound = np.float32(node["num_threshold"])
    # Rounded up, a bound would let values pass that the original refuses.
    threshold[target] = bound if bound <= node["num_threshold"] else np.nextafter(bound, _LEAST)
    _lay_out(nodes, int(node["left"]), 2 * target + 1, arrays)
    _lay_out(nodes, int(node["right"]), 2 * target + 2, arrays)
