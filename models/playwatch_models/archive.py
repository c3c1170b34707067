"""The model file: plain arrays with a version, and the record of how they were trained.

A zip of arrays as numpy writes it, without pickles, so that opening one runs no code.
Beside the forest that ships it holds one forest for each fold of the cross-validation:
a series that took part in the training can be scored by one that never saw it.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from playwatch_models.features import FEATURES
from playwatch_models.trees import Forest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Archive", "pack", "unpack"]

VERSION = 1
_KINDS = {
    "feature": np.int16,
    "threshold": np.float32,
    "leaf": np.float32,
    "base": np.float32,
    "odds": np.float32,
    "rarities": np.float32,
}


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """A trained model.

    Attributes
    ----------
    forest
        The one that ships, trained on everything.
    folds
        One for each fold, trained on all others.
    fold_of
        The fold of each series that took part, by its name.
    record
        How it was trained, for people: parameters, seed, data sets.
    """

    forest: Forest
    folds: tuple[Forest, ...]
    fold_of: Mapping[str, int]
    record: Mapping[str, object]


def pack(archive: Archive) -> bytes:
    """Return a model as the bytes of its file."""
    forests = (archive.forest, *archive.folds)
    arrays: dict[str, NDArray[np.generic]] = {
        name: np.array([getattr(forest, name) for forest in forests], kind)
        for name, kind in _KINDS.items()
    }
    notes = {
        "features": FEATURES,
        "fold_of": dict(archive.fold_of),
        "record": dict(archive.record),
    }
    out = io.BytesIO()
    np.savez_compressed(
        out,
        allow_pickle=False,
        version=np.array(VERSION),
        notes=np.frombuffer(json.dumps(notes).encode(), np.uint8),
        **arrays,
    )
    return out.getvalue()


def unpack(content: bytes) -> Archive:
    """Return the model that a file holds.

    Raises
    ------
    ValueError
        If the bytes are no model, of another version, or do not fit together.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as e:
        msg = f"this is no model file, or a damaged one: {e}"
        raise ValueError(msg) from e
    version = arrays.get("version")
    if version is None or version.shape != () or int(version) != VERSION:
        msg = f"the model file is of version {version}; this release reads version {VERSION}"
        raise ValueError(msg)
    notes = _notes(arrays)
    if tuple(notes["features"]) != FEATURES:
        msg = "the model file was trained on other features; train it again"
        raise ValueError(msg)
    forests = _forests(arrays)
    folds = {str(name): int(fold) for name, fold in notes["fold_of"].items()}
    if any(not 0 <= fold < len(forests) - 1 for fold in folds.values()):
        msg = "the model file names a fold that it does not hold"
        raise ValueError(msg)
    return Archive(forests[0], tuple(forests[1:]), folds, notes["record"])


def _notes(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, Any]:
    """Return the part of the file that is text."""
    try:
        notes = dict(json.loads(arrays["notes"].astype(np.uint8).tobytes()))
        return {
            "features": list(notes["features"]),
            "fold_of": dict(notes["fold_of"]),
            "record": dict(notes["record"]),
        }
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as e:
        msg = "the model file has no readable training record"
        raise ValueError(msg) from e


def _forests(arrays: Mapping[str, NDArray[np.generic]]) -> Sequence[Forest]:
    """Return the forests, the one that ships first."""
    for name, kind in _KINDS.items():
        found = arrays.get(name)
        if found is None or found.dtype != kind or len(found.shape) < 1:
            msg = f"the model file has no fitting array {name!r}"
            raise ValueError(msg)
        if name != "threshold" and not np.isfinite(found.astype(np.float32)).all():
            msg = f"the array {name!r} of the model file is not finite"
            raise ValueError(msg)
    feature, threshold, leaf = arrays["feature"], arrays["threshold"], arrays["leaf"]
    fits = (
        feature.ndim == leaf.ndim == 3  # noqa: PLR2004 - forests, trees, nodes
        and feature.shape == threshold.shape
        and leaf.shape == (*feature.shape[:2], feature.shape[2] + 1)
        and feature.shape[2] & (feature.shape[2] + 1) == 0
        and arrays["odds"].shape == arrays["rarities"].shape
        and arrays["odds"].ndim == 2  # noqa: PLR2004 - forests, knots
        and {len(arrays[name]) for name in _KINDS} == {len(feature)}
        and bool((feature.astype(int) >= 0).all() and (feature.astype(int) < len(FEATURES)).all())
        and bool((np.diff(arrays["odds"].astype(float), axis=1) > 0).all())
        and not bool(np.isnan(threshold.astype(float)).any())
    )
    if not fits:
        msg = "the arrays of the model file do not fit together"
        raise ValueError(msg)
    return [
        Forest(
            feature[i].astype(np.int16),
            threshold[i].astype(np.float32),
            leaf[i].astype(np.float32),
            float(arrays["base"].astype(float)[i]),
            arrays["odds"][i].astype(np.float32),
            arrays["rarities"][i].astype(np.float32),
        )
        for i in range(len(feature))
    ]
