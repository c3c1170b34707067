from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from playwatch.config.rates import RateLimit, read_rate, write_rate

RATE: TypeAdapter[int | None] = TypeAdapter(RateLimit)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100 per minute", 100), ("1 per minute", 1), (" 600  per minute ", 600), ("none", None)],
)
def test_a_rate_is_read(text: str, rate: int | None) -> None:
    assert RATE.validate_python(text) == rate


@pytest.mark.parametrize("rate", [None, 1, 100, 100_000])
def test_what_is_written_reads_the_same(rate: int | None) -> None:
    assert read_rate(write_rate(rate)) == rate


@pytest.mark.parametrize(
    "value",
    [
        "",
        "100",
        "0 per minute",
        "100001 per minute",
        "-1 per minute",
        "5 per second",
        100,
        True,
        [],
    ],
)
def test_anything_else_is_a_mistake_with_a_way_out(value: object) -> None:
    with pytest.raises(ValueError, match="rate"):
        RATE.validate_python(value)
