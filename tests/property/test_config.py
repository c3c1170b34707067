from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.config.document import read_document
from playwatch.config.load import load_config
from playwatch.config.quantities import format_duration, parse_duration
from playwatch.errors import ConfigError, Problem

SECRET = "sesame-sesame"  # noqa: S105 - an invented one
KEYS = """
mqtt url embedded rules name metric where by window trigger resolve for summary channels service
pagerduty console integration_key password subscriptions topic metrics key limits rule_files
views true null 5 5s '>5' '<1' ${S} $${ ${ - : , [ ] { } & * ! | > " ' # <<
"""
WORDS = st.sampled_from(KEYS.split())
YAMLISH = st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "\n  ", ": ", ": [", "}"]))).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)
TREE = st.recursive(
    WORDS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def outcome(content: bytes) -> None:
    """Load a file; it may fail, but only as a configuration does."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_bytes(content)
        problems: list[Problem] = []
        try:
            load_config(path, environ={"S": SECRET})
        except ConfigError as error:
            problems = error.problems

    assert SECRET not in repr(problems) + "".join(map(str, problems))
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | YAMLISH.map(str.encode))
def test_no_file_raises_anything_but_a_config_error(content: bytes) -> None:
    outcome(content)


@settings(deadline=None)
@given(st.dictionaries(WORDS, TREE, max_size=6))
def test_no_tree_raises_anything_but_a_config_error(tree: dict[str, object]) -> None:
    outcome(flow(tree).encode())


@given(st.text())
def test_no_text_raises_in_the_reader(text: str) -> None:
    document = read_document(text, "f")

    assert document.value is None or isinstance(document.value, str | list | dict)


@given(st.integers(0, 10**11))
def test_a_duration_written_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.text(alphabet="0123456789wdhms .", max_size=12))
def test_a_duration_read_writes_back(written: str) -> None:
    try:
        seconds = parse_duration(written)
    except ValueError:
        with pytest.raises(ValueError, match="not a duration"):
            parse_duration(written)
    else:
        assert parse_duration(format_duration(seconds)) == seconds


def flow(value: object) -> str:
    """Write a tree in YAML's flow style, texts quoted so that they stay what they are."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if value is None:
        return "null"
    word = str(value)
    return word if word.isalnum() else "'" + word.replace("'", "''") + "'"
