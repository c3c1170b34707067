"""What pages make of times, numbers and names."""

from __future__ import annotations

import math

import pytest

from playwatch.web.pages.words import (
    NOTHING,
    clock,
    group,
    lasted,
    link,
    name,
    number,
    quantity,
    shown,
)


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (1_499, "1 s"),
        (60_000, "1 min"),
        (200_000, "3 min 20 s"),
        (7_500_000, "2 h 5 min"),
        (4 * 86_400_000 + 2 * 3_600_000, "4 d 2 h"),
    ],
)
def test_a_duration_has_its_two_greatest_units(ms: float, said: str) -> None:
    assert lasted(ms) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(7.4321, "7.43"), (12_345.6, "12,346"), (None, NOTHING), (math.nan, NOTHING)],
)
def test_a_number_has_three_digits_or_is_missing(value: float | None, said: str) -> None:
    assert number(value) == said


def test_a_missing_value_has_no_unit() -> None:
    assert (quantity(3.0, "%"), quantity(None, "%")) == ("3 %", NOTHING)


def test_a_script_in_a_name_is_text() -> None:
    assert "<script>" not in str(name("<script>alert(1)</script>"))
    assert "&lt;script&gt;" in str(name("<script>alert(1)</script>"))
    assert '"' not in str(group([('a" onmouseover="x', "b")])).replace('class="', "").replace(
        '">', ""
    )


def test_marks_that_turn_or_hide_text_are_spelled_out() -> None:
    assert shown("abc\u202egnp.exe\u200b\x07") == "abc[U+202E]gnp.exe[U+200B][U+0007]"
    assert shown("two\nlines\tand tabs") == "two lines and tabs"
    assert shown("मनीष 👩\u200d💻") == "मनीष 👩\u200d💻"
    assert shown("\ud800") == "[U+D800]"


def test_a_long_name_is_cut_and_whole_in_its_title() -> None:
    cut = str(name("x" * 10_000))

    assert len(cut) < 1_200
    assert "…" in cut


def test_only_web_addresses_are_links() -> None:
    assert link("https://example.com/runbook") == "https://example.com/runbook"
    assert [
        link(one) for one in ("javascript:alert(1)", "//x", "https://", "data:x", "http://[")
    ] == [""] * 5


def test_a_time_is_an_element_in_utc() -> None:
    assert clock(1_800_000_000_000) == (
        '<time datetime="2027-01-15T08:00:00Z">15 Jan 08:00:00</time>'
    )
    assert clock(None) == ""
    assert clock(10**18) == "1000000000000000000"
