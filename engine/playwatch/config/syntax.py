"""Mistakes of YAML's syntax, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from yaml.reader import Reader

if TYPE_CHECKING:
    import yaml

# What PyYAML says, what an operator reads, and what to do.
_WORDS: Final = (
    ("found character '\\t'", "a tab stands where only spaces may", "indent with spaces"),
    (
        "expected chomping or indentation indicators",
        "a text that starts with > or | needs quotes",
        'write "> 5"',
    ),
    (
        "expected a comment or a line break",
        "a text that starts with > or | needs quotes",
        'write "> 5"',
    ),
    (
        "that cannot start any token",
        "a text that starts with %, @ or ` needs quotes",
        "put the whole text in quotes",
    ),
    (
        "mapping values are not allowed here",
        "a ':' is not allowed here",
        "check the indentation; a text that holds ': ' needs quotes",
    ),
    (
        "could not find expected ':'",
        "this line is neither 'key: value' nor '- item'",
        "check the indentation and the quotes above",
    ),
    (
        "found unexpected end of stream",
        "the file ends inside a text",
        "a closing quote is missing",
    ),
    (
        "expected <block end>",
        "this does not fit what is around it",
        "check the indentation",
    ),
    (
        "expected ',' or",
        "a list or mapping in brackets is not closed, or a comma is missing",
        'between brackets a text such as "${NAME}" needs quotes',
    ),
    ("while scanning a tag", "a text that starts with ! needs quotes", 'write "!US"'),
    ("unknown escape character", "this escape is unknown", "in double quotes write \\\\ for \\"),
    ("expected alphabetic or numeric character", "a text that starts with * or & needs quotes", ""),
)


def wording_of(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    """Return what is wrong and a way out, for an error of PyYAML.

    The words never quote the file, which may hold secrets.
    """
    said = f"{error.problem or ''} {error.context or ''}"
    for key, message, hint in _WORDS:
        if key in said:
            return message, hint
    return f"is not valid YAML: {error.problem or 'cannot be read'}", ""


def unreadable_character(text: str) -> tuple[int, int, str] | None:
    """Return line, column and what is wrong with the first character YAML refuses."""
    found = Reader.NON_PRINTABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return line, column, f"character U+{ord(found[0]):04X} is not allowed in YAML"
