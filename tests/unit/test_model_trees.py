from __future__ import annotations

import io

import numpy as np
import pytest

from playwatch_models.archive import Archive, pack, unpack
from playwatch_models.features import FEATURES
from playwatch_models.trees import Forest


def _forest(seed: int = 0) -> Forest:
    generator = np.random.default_rng(seed)
    return Forest(
        feature=generator.integers(0, len(FEATURES), (4, 7)).astype(np.int16),
        threshold=generator.normal(size=(4, 7)).astype(np.float32),
        leaf=generator.normal(size=(4, 8)).astype(np.float32),
        base=-1.0,
        odds=np.array([-5.0, 0.0, 5.0], np.float32),
        rarities=np.array([1.0, 3.0, 5.0], np.float32),
    )


def _archive() -> Archive:
    return Archive(_forest(), (_forest(1), _forest(2)), {"kpi/a": 0, "kpi/b": 1}, {"seed": 0})


def _slow_log_odds(forest: Forest, row: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    total = forest.base
    for feature, threshold, leaf in zip(forest.feature, forest.threshold, forest.leaf, strict=True):
        node = 0
        while node < len(feature):
            node = 2 * node + (1 if row[feature[node]] <= threshold[node] else 2)
        total += float(leaf[node - len(feature)])
    return total


def test_many_rows_walk_the_trees_as_one_row_would() -> None:
    forest = _forest()
    table = np.random.default_rng(3).normal(size=(50, len(FEATURES))).astype(np.float32)

    slow = [_slow_log_odds(forest, row) for row in table]

    assert forest.log_odds(table) == pytest.approx(slow, abs=1e-5)


def test_stronger_verdicts_are_rarer_beyond_the_scale_too() -> None:
    forest = _forest()
    table = np.random.default_rng(3).normal(size=(200, len(FEATURES))).astype(np.float32)
    order = np.argsort(forest.log_odds(table))

    rarity = forest.rarity(table, np.zeros(200, np.int32))[order]

    assert (np.diff(rarity) >= 0).all()


def test_a_model_file_brings_back_what_was_packed() -> None:
    archive = unpack(pack(_archive()))

    assert archive.fold_of == {"kpi/a": 0, "kpi/b": 1}
    assert archive.record == {"seed": 0}
    assert [forest.leaf.tolist() for forest in (archive.forest, *archive.folds)] == [
        _forest(seed).leaf.tolist() for seed in range(3)
    ]


def _changed(**arrays: object) -> bytes:
    with np.load(io.BytesIO(pack(_archive()))) as file:
        kept = {name: file[name] for name in file.files}
    out = io.BytesIO()
    np.savez(out, **{**kept, **arrays})
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no model file"),
        (b"PK\x03\x04 and then nonsense", "no model file"),
        (pack(_archive())[:-200], "no model file"),
        (_changed(version=np.array(2)), "version"),
        (_changed(notes=np.frombuffer(b"{}", np.uint8)), "training record"),
        (_changed(leaf=np.full((3, 4, 8), np.nan, np.float32)), "not finite"),
        (_changed(leaf=np.zeros((3, 4, 4), np.float32)), "do not fit"),
        (_changed(feature=np.full((3, 4, 7), 99, np.int16)), "do not fit"),
        (_changed(odds=np.zeros((3, 3), np.float32)), "do not fit"),
        (_changed(base=np.zeros(3)), "no fitting array 'base'"),
    ],
)
def test_a_file_that_is_no_model_is_refused_with_its_reason(content: bytes, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        unpack(content)
