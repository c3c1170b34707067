from typing import Any, Self

from numpy.typing import ArrayLike, NDArray

class HistGradientBoostingClassifier:
    _predictors: list[list[Any]]
    _baseline_prediction: NDArray[Any]
    def __init__(self, **parameters: object) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self: ...
    def decision_function(self, X: ArrayLike) -> NDArray[Any]: ...
