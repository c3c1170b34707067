from __future__ import annotations

import numpy as np

from playwatch_models.agreement import agree


def test_five_metrics_that_agree_outweigh_one_that_is_odd_alone() -> None:
    agreed, alone = np.zeros(19), np.zeros(19)
    agreed[:5], alone[0] = 4.0, 15.0

    strength = agree(np.stack((agreed, alone)))

    assert strength.tolist() == [4.0, 3.0]


def test_fewer_metrics_are_averaged_as_they_are() -> None:
    assert agree(np.array([[2.0, 4.0]])).tolist() == [3.0]
