"""What the reader makes of YAML before any key is looked at."""

from __future__ import annotations

import pytest

from playwatch.config.document import ALIAS_LIMIT, Place, read_document


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: > 5", 1, 6, "a text that starts with > or | needs quotes"),
        ("a: >= 5", 1, 5, "a text that starts with > or | needs quotes"),
        ("a: !US", 1, 4, "the tag !US is not supported"),
        ("a: {b: !US}", 1, 11, "a text that starts with ! needs quotes"),
        ("a: *live", 1, 4, "no anchor &live comes before the alias *live"),
        ("a: &x [*x]", 1, 8, "no anchor &x comes before the alias *x"),
        ("a:\n\tb: 1", 2, 1, "a tab stands where only spaces may"),
        ("a: @x", 1, 4, "a text that starts with %, @ or ` needs quotes"),
        ("a: b: c", 1, 5, "a ':' is not allowed here"),
        ("a:\n  - b\n c: d", 3, 2, "this does not fit what is around it"),
        ("a: [1, 2\nb: 3", 2, 2, "a list or mapping in brackets is not closed"),
        ('a: "b', 1, 6, "the file ends inside a text"),
        ("a: 1\na: 2", 2, 1, "is given twice"),
        ("x:\n  a: {b: 1, b: 2}", 2, 13, "is given twice"),
        ("---\na: 1\n---\nb: 2", 3, 1, "a second document starts here"),
        ("? [a]\n: b", 1, 3, "a key must be a text"),
        ("~: 5", 1, 1, "a key must be a text"),
        ("a: !!int 5", 1, 4, "the tag !!int is not supported"),
        ('a: "\\ud800"', 1, 4, "holds half of a surrogate pair"),
        ('a: "\\UFFFFFFFF"', 1, 1, "is not valid YAML from here on"),
        ("a: 1\nb: \x01", 2, 4, "character U+0001 is not allowed in YAML"),
        ("[" * 100, 1, 26, "is nested deeper than 24 levels"),
    ],
)
def test_a_mistake_of_syntax_has_a_place_and_plain_words(
    text: str, line: int, column: int, message: str
) -> None:
    problem = read_document(text, "f").problems[0]

    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


@pytest.mark.parametrize(
    "written",
    [
        "NO",
        "no",
        "on",
        "off",
        "yes",
        "true",
        "1_000",
        "0o7",
        "007",
        "1:30",
        "2026-11-23",
        ".inf",
        "1e3",
    ],
)
def test_a_scalar_stays_as_written(written: str) -> None:
    assert read_document(f"a: {written}", "f").value == {"a": written}


def test_null_and_nothing_are_no_value_unless_quoted() -> None:
    read = read_document("{a: , b: ~, c: null, d: 'null', e: ''}", "f").value

    assert read == {"a": None, "b": None, "c": None, "d": "null", "e": ""}


def test_every_value_and_key_has_its_place() -> None:
    document = read_document("a:\n  - b: 1\n    c: two\n", "f")

    assert document.keys["a", 0, "c"] == Place(3, 5)
    assert document.values["a", 0, "c"] == Place(3, 8)
    assert document.values["a", 0] == Place(2, 5)


def test_an_alias_repeats_its_anchor() -> None:
    document = read_document("a: &x [1]\nb: *x", "f")

    assert document.value == {"a": ["1"], "b": ["1"]}
    assert document.problems == []


def test_many_aliases_are_refused() -> None:
    problem = read_document(f"a: &x 1\nb: [{'*x, ' * (ALIAS_LIMIT + 1)}]", "f").problems[0]

    assert "aliases" in problem.message


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]

    problem = read_document("\n".join(lines), "f").problems[0]

    assert "values, aliases written out" in problem.message
