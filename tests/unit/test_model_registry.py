from __future__ import annotations

import numpy as np
import pytest

from playwatch_models.classes import MetricClass
from playwatch_models.detector import Intervals
from playwatch_models.registry import model_fault, open_detector, opened, shipped_model


@pytest.mark.parametrize("metric_class", MetricClass)
def test_every_class_of_metric_has_a_detector(metric_class: MetricClass) -> None:
    detector = open_detector(metric_class, 60.0)
    detector.resize(2, np.full(2, -1, np.int32))
    interval = Intervals(
        np.array([0, 1], np.int32), np.full(2, 60_000), np.array([1.0, 2.0]), np.array([10.0, 20.0])
    )

    findings = detector.step(interval, np.zeros(2, np.bool_))

    assert findings.score.tolist() == [0.0, 0.0]


def test_an_interval_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        open_detector(MetricClass.GAUGE, 0.0)


def test_the_model_that_ships_can_be_read() -> None:
    assert shipped_model() is not None
    assert model_fault() == ""


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 and nothing more", b"\x93NUMPY"])
def test_a_damaged_model_is_none_and_says_why(raw: bytes) -> None:
    model, fault = opened(raw)

    assert model is None
    assert "no model file" in fault
