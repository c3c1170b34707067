"""The table of faults names tests that exist, for every fault there is."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^\| (\d+) \|(.*)$", (TESTS / "faults.md").read_text(), re.MULTILINE)


def test_every_fault_has_its_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 28))


def test_every_test_in_the_table_exists() -> None:
    named = re.findall(r"`(\S+\.py)::(\w+)`", "".join(row for _, row in ROWS))
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not re.search(rf"^(async )?def {name}\(", (TESTS / file).read_text(), re.MULTILINE)
    ]
    assert missing == []
