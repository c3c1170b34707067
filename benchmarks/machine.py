"""What a result was measured on, and where results are kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("playwatch", "numpy", "gmqtt", "msgspec", "aiohttp", "aiosqlite")


def described() -> dict[str, Any]:
    """Return the machine, the versions, the commit and the command of a run."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    return {
        "commit": commit,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": {name: version(name) for name in LIBRARIES},
    }


def quantiles(values: list[float]) -> dict[str, float]:
    """Return count, quartiles, 99th percentile and largest of some figures."""
    ordered = sorted(values) * (2 if len(values) == 1 else 1)
    quartiles = statistics.quantiles(ordered, n=4, method="inclusive")
    hundredths = statistics.quantiles(ordered, n=100, method="inclusive")
    return {
        "n": len(values),
        "q1": round(quartiles[0], 3),
        "median": round(quartiles[1], 3),
        "q3": round(quartiles[2], 3),
        "p99": round(hundredths[98], 3),
        "largest": round(ordered[-1], 3),
    }


def keep(name: str, result: dict[str, Any]) -> Path:
    """Write a result to `results/` and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path
