from __future__ import annotations

import pytest

from playwatch.store.queries import QUERIES, parse


def test_a_query_has_a_name_a_description_and_a_statement() -> None:
    (query,) = parse(
        "-- For the reader.\n\n-- name: one\n-- Says\n-- one.\nSELECT\n    1;\n"
    ).values()

    assert (query.name, query.description, query.sql) == ("one", "Says one.", "SELECT\n    1")


@pytest.mark.parametrize(
    "text",
    [
        "-- name: one\nSELECT 1;",
        "-- name: one\n-- Says nothing.",
        "-- name: one\n-- Says one.\nSELECT 1;\n-- name: one\n-- Again.\nSELECT 1;",
    ],
)
def test_a_query_that_is_incomplete_or_doubled_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'one'"):
        parse(text)


def test_every_shipped_query_says_what_it_answers() -> None:
    assert all(query.description.endswith((".", ").", "`.")) for query in QUERIES.values())
