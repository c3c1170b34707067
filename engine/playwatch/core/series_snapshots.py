"""What a snapshot keeps of the series themselves, and of the keys that stand for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from playwatch.core.series import FREE, NEVER
from playwatch.errors import SeriesLimitError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.key_tables import KeyTables
    from playwatch.core.metrics import Catalogue
    from playwatch.core.series import SeriesTable

VERSION: Final = 1

_COLUMNS: Final = ("metric", "newest_at", "newest_value", "newest_views")

Part = tuple[dict[str, Any], dict[str, "NDArray[Any]"]]


def copy_series(series: SeriesTable, catalogue: Catalogue) -> Part:
    """Return a copy of the series and the newest sample of each; O(series)."""
    count = len(series)
    facts = {
        "version": VERSION,
        "count": count,
        "metrics": [metric.key for metric in catalogue],
        "heard": [series.heard_since, series.heard_until],
    }
    columns = {name: getattr(series, name)[:count].copy() for name in _COLUMNS}
    # No canonical name holds a line end: control characters are refused on arrival.
    names = b"\n".join(series.canonical(row) for row in range(count))
    return facts, {**columns, "names": np.frombuffer(names, np.uint8)}


def restore_series(
    part: Part, series: SeriesTable, catalogue: Catalogue, refused: list[str]
) -> NDArray[np.int32]:
    """Intern the series of a snapshot; return the row that each one has now, -1 for none."""
    facts, columns = part
    names = columns["names"].tobytes().split(b"\n")[: facts["count"]]
    numbers = [catalogue.id_of(key) for key in facts["metrics"]]
    rows = np.full(len(names), -1, np.int32)
    over_limit: dict[str, int] = {}
    for old, (name, metric) in enumerate(zip(names, columns["metric"].tolist(), strict=True)):
        number = None if metric == FREE else numbers[metric]
        if number is None:
            continue
        try:
            rows[old] = series.intern(number, name)
        except SeriesLimitError:
            key = catalogue[number].key
            over_limit[key] = over_limit.get(key, 0) + 1
    refused += [
        f"series: {count} of {key} are beyond the limit" for key, count in over_limit.items()
    ]
    is_known = rows >= 0
    for column in _COLUMNS[1:]:
        getattr(series, column)[rows[is_known]] = columns[column][is_known]
    series.heard_since, series.heard_until = facts.get("heard", (NEVER, NEVER))
    return rows


def copy_tables(tables: KeyTables, catalogue: Catalogue) -> Part:
    """Return a copy of the keys that publishers speak of by number."""
    sizes, rows = tables.state()
    given_up = [
        (place, catalogue[metric].key, canonical.decode())
        for place, (metric, canonical) in tables.given_up()
    ]
    return {"version": VERSION, "tables": sizes, "given_up": given_up}, {"rows": rows}


def restore_tables(
    part: Part,
    tables: KeyTables,
    rows: NDArray[np.int32],
    series: SeriesTable,
    catalogue: Catalogue,
) -> None:
    """Bring key tables back; keys whose rows were given up have one again."""
    facts, columns = part
    saved = columns["rows"].copy()
    fresh: list[int] = []
    for place, key, canonical in facts.get("given_up", ()):
        saved[place] = len(rows) + len(fresh)
        number = catalogue.id_of(key)
        try:
            fresh.append(-1 if number is None else series.intern(number, canonical.encode()))
        except SeriesLimitError:
            fresh.append(-1)
    tables.restore(facts["tables"], saved, np.r_[rows, np.array(fresh, np.int32)])
