"""Is one detector better than another, or is it luck: a paired bootstrap over series.

    python benchmarks/compare_scores.py --evaluator FILE --data DIR --scores OURS OTHER ...

Every folder of scores gets the one threshold with the best mean F1 over the data sets;
then whole series are drawn again, within each data set, the same for both. A difference
whose interval holds 0 is no difference. The evaluator counts the pages.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

DRAWS = 2000
CANDIDATES = 60


def load(path: Path) -> Any:  # noqa: ANN401 - a script of somebody else's
    """Return the evaluator as a module."""
    spec = importlib.util.spec_from_file_location("evaluator", path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} is no Python script")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def counted(evaluator: Any, items: list[Any]) -> tuple[float, Any]:  # noqa: ANN401 - as above
    """Return the best common threshold and true, false pages and events of each series."""
    sets = sorted({item.ds for item in items})
    best: tuple[float, float] = (-1.0, 0.0)
    scores = np.concatenate([item.s[np.isfinite(item.s)] for item in items])
    for threshold in np.unique(np.quantile(scores, 1 - np.geomspace(2e-6, 0.03, CANDIDATES))):
        f1 = np.mean(
            [
                evaluator.summary([item for item in items if item.ds == name], threshold)["f1"]
                for name in sets
            ]
        )
        best = max(best, (float(f1), float(threshold)))
    pages = [(*item.count(best[1])[:2], len(item.ea)) for item in items]
    return best[1], np.array(pages, float)


def macro(counts: Any, sets: Any, weight: Any) -> float:  # noqa: ANN401 - arrays
    """Return the mean F1 over data sets."""
    total = []
    for name in np.unique(sets):
        true, false, events = (counts * weight[:, None])[sets == name].sum(axis=0)
        total.append(2 * true / (true + false + events) if true else 0.0)
    return float(np.mean(total))


def main() -> int:
    """Compare the first folder of scores with each of the others."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--evaluator", type=Path, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--scores", nargs="+", required=True)
    parser.add_argument("--datasets", nargs="*", default=["kpi", "wsd", "mscloud", "nab"])
    asked = parser.parse_args()
    evaluator = load(asked.evaluator)
    found = {}
    sets = np.empty(0)
    for folder in asked.scores:
        items = evaluator.load_items(asked.data, folder, asked.datasets)
        sets = np.array([item.ds for item in items])
        found[folder] = counted(evaluator, items)[1]
    generator = np.random.default_rng(0)
    weights = np.zeros((DRAWS, len(sets)))
    for name in np.unique(sets):
        mine = np.flatnonzero(sets == name)
        draws = generator.integers(0, len(mine), (DRAWS, len(mine)))
        for row, draw in zip(weights, draws, strict=True):
            row[mine] = np.bincount(draw, minlength=len(mine))
    drawn = {
        folder: np.array([macro(counts, sets, weight) for weight in weights])
        for folder, counts in found.items()
    }
    ours = asked.scores[0]
    for folder, values in drawn.items():
        lead = drawn[ours] - values
        print(
            json.dumps(
                {
                    "scores": Path(folder).name,
                    "f1": round(macro(found[folder], sets, np.ones(len(sets))), 3),
                    "f1_90": np.quantile(values, (0.05, 0.95)).round(3).tolist(),
                    "lead_of_first_90": np.quantile(lead, (0.05, 0.95)).round(3).tolist(),
                }
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
