"""Named queries: the SQL of the store, read from its own file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """One statement, with what it answers."""

    name: str
    description: str
    sql: str


def parse(text: str) -> dict[str, Query]:
    """Return the queries of an SQL file by name.

    Parameters
    ----------
    text
        Blocks that begin with ``-- name: word``, go on with comment lines that
        say what the query answers, and end with one statement. What stands
        before the first name is for the reader.

    Raises
    ------
    ValueError
        If a name occurs twice, or a block lacks its description or statement.
    """
    _, *parts = _NAME.split(text)
    queries: dict[str, Query] = {}
    for name, block in zip(parts[::2], parts[1::2], strict=True):
        lines = block.strip().splitlines()
        said = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        sql = "\n".join(lines[len(said) :]).removesuffix(";")
        if name in queries or not said or not sql:
            message = f"query {name!r} is a repeat, or has no description or no statement"
            raise ValueError(message)
        queries[name] = Query(name, " ".join(said), sql)
    return queries


QUERIES: Final = parse((resources.files(__package__) / "queries.sql").read_text("utf-8"))
"""Every query of the store."""
