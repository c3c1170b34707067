"""Looking through many texts: all of what fits, and others have their turn meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.runtime import text_search as module
from playwatch.runtime.text_search import BETWEEN, rows_with

if TYPE_CHECKING:
    from collections.abc import Sequence


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("aAßS\0=\u0131\u0130 ", max_size=5), max_size=9), st.text("asß=", max_size=3)
)
async def test_a_search_finds_what_a_look_at_each_text_finds(texts: list[str], sought: str) -> None:
    found = await rows_with(
        sought, range(len(texts)), lambda rows: BETWEEN.join([texts[row] for row in rows])
    )

    assert found == [row for row, text in enumerate(texts) if sought.casefold() in text.casefold()]


@pytest.mark.parametrize("count", [0, 1, module.AT_ONCE, 2 * module.AT_ONCE + 1])
async def test_others_have_their_turn_after_every_few_thousand_texts(count: int) -> None:
    turns = 0
    looked: list[int] = []

    def texts(rows: Sequence[int]) -> str:
        looked.append(turns)
        return BETWEEN.join([str(row) for row in rows])

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    found = await rows_with("", range(count), texts)
    task.cancel()

    assert found == list(range(count))
    assert looked == sorted(set(looked))
