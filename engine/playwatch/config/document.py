"""One YAML file as plain values, with the place of each.

The reader takes PyYAML's events, never its constructors: every scalar stays
text, keys are checked for repeats, and what could blow up is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import yaml

from playwatch.config.fields import Scalar
from playwatch.config.syntax import unreadable_character, wording_of
from playwatch.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH_LIMIT: Final = 24
ALIAS_LIMIT: Final = 200
VALUE_LIMIT: Final = 50_000
"""How deep, how often by alias, and how much in all, aliases written out."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TEXT_TAGS: Final = frozenset({"!", "tag:yaml.org,2002:str"})

Path = tuple[str | int, ...]
"""Keys and positions from the root of a file to a value."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(slots=True)
class Document:
    """What one file says, and where.

    Attributes
    ----------
    file
        The name by which the operator knows it.
    value
        `dict`, `list`, `Scalar` or None.
    values, keys
        Where each value starts, and each key.
    problems
        Mistakes found so far.
    """

    file: str
    value: object = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, path: Path, message: str, hint: str = "", *, of_key: bool = False) -> None:
        """Add a mistake at a value, at its key, or at the nearest thing that holds it."""
        place = self.keys.get(path) if of_key else None
        for length in range(len(path), -1, -1):
            place = place or self.values.get(path[:length])
        self.complain_at(place or Place(), path, message, hint)

    def complain_at(self, place: Place, path: Path, message: str, hint: str = "") -> None:
        """Add a mistake at a place."""
        name = ".".join(map(str, path))
        self.problems.append(Problem(self.file, place.line, place.column, name, message, hint))


def read_document(text: str, file: str) -> Document:
    """Return a file's values and places; mistakes of syntax are in its ``problems``.

    A file that is no YAML has no value and one problem.
    """
    document = Document(file)
    if odd := unreadable_character(text):
        document.complain_at(Place(*odd[:2]), (), odd[2])
        return document
    reader = _Reader(document)
    try:
        reader.read(text)
    except yaml.MarkedYAMLError as error:
        message, hint = wording_of(error)
        mark = error.problem_mark or error.context_mark
        place = reader.here if mark is None else Place(mark.line + 1, mark.column + 1)
        document.complain_at(place, (), message, hint)
    except _GivenUpError:
        pass
    except (yaml.YAMLError, ValueError, OverflowError, IndexError):
        # PyYAML's scanner lets chr() fail on escapes beyond Unicode.
        document.complain_at(reader.here, (), "is not valid YAML from here on")
    return document


class _GivenUpError(Exception):
    """The file passes a limit; the problem is noted already."""


@dataclass(slots=True)
class _Node:
    """A value of the tree, before its aliases are written out."""

    place: Place
    scalar: str | None = None
    is_plain: bool = False
    items: list[_Node] | None = None
    pairs: list[tuple[_Node, _Node]] | None = None


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place() if mark is None else Place(mark.line + 1, mark.column + 1)


class _Reader:
    """Builds the tree from events, then the values from the tree."""

    def __init__(self, document: Document) -> None:
        self.here = Place()
        self._document = document
        self._anchors: dict[str, _Node] = {}
        self._aliases = 0
        self._nodes = 0
        self._count = 0

    def read(self, text: str) -> None:
        events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        root: _Node | None = None
        for event in events:
            self.here = _place(event)
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._give_up("a second document starts here", "keep one document per file")
                root = self._node(next(events), events, 0)
        if root is not None:
            self._document.value = self._value(root, ())

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> _Node:
        self.here = place = _place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > DEPTH_LIMIT:
            self._give_up(f"is nested deeper than {DEPTH_LIMIT} levels")
        self._nodes += 1
        if self._nodes > VALUE_LIMIT:
            self._give_up(f"the file has more than {VALUE_LIMIT} values")
        node = _Node(place)
        if isinstance(event, yaml.ScalarEvent):
            # A bare tag has an empty scalar; a text tag makes any scalar text.
            node.scalar = event.value
            node.is_plain = not event.style and event.tag not in _TEXT_TAGS
        elif isinstance(event, yaml.SequenceStartEvent):
            node.items = []
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                node.items.append(self._node(item, events, depth + 1))
        else:
            node.pairs = []
            while not isinstance(item := next(events), yaml.MappingEndEvent):
                key = self._node(item, events, depth + 1)
                node.pairs.append((key, self._node(next(events), events, depth + 1)))
        self._refuse_tag(getattr(event, "tag", None), place)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent) -> _Node:
        self._aliases += 1
        if self._aliases > ALIAS_LIMIT:
            self._give_up(f"the file has more than {ALIAS_LIMIT} aliases")
        name = event.anchor or ""
        if name not in self._anchors:
            self._document.complain_at(
                self.here,
                (),
                f"no anchor &{name} comes before the alias *{name}",
                f'a text that starts with * needs quotes: "*{name}"',
            )
            return _Node(self.here, scalar="")
        return self._anchors[name]

    def _refuse_tag(self, tag: str | None, place: Place) -> None:
        if tag is None or tag in _TEXT_TAGS:
            return
        short = tag.replace("tag:yaml.org,2002:", "!!")
        hint = "leave it out" if short.startswith("!!") else f'a text needs quotes: "{short}"'
        self._document.complain_at(place, (), f"the tag {short} is not supported", hint)

    def _value(self, node: _Node, path: Path) -> object:
        self.here = node.place
        self._count += 1
        if self._count > VALUE_LIMIT:
            self._give_up(f"the file has more than {VALUE_LIMIT} values, aliases written out")
        if len(path) > DEPTH_LIMIT:
            self._give_up(f"is nested deeper than {DEPTH_LIMIT} levels, aliases written out")
        self._document.values[path] = node.place
        if node.items is not None:
            return [self._value(item, (*path, i)) for i, item in enumerate(node.items)]
        if node.pairs is not None:
            return self._mapping(node.pairs, path)
        return self._scalar(node, path)

    def _mapping(self, pairs: list[tuple[_Node, _Node]], path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            name = key.scalar
            if name is None or (key.is_plain and name in _NULLS) or not _is_text(name):
                self._document.complain_at(key.place, path, "a key must be a text")
                continue
            inner = (*path, name)
            if inner in self._document.keys:
                first = self._document.keys[inner]
                self._document.complain_at(
                    key.place, inner, "is given twice", f"first in line {first.line}"
                )
                continue
            self._document.keys[inner] = key.place
            found[name] = self._value(value, inner)
        return found

    def _scalar(self, node: _Node, path: Path) -> Scalar | None:
        written = node.scalar or ""
        if node.is_plain and written in _NULLS:
            return None
        if not _is_text(written):
            self._document.complain(path, "holds half of a surrogate pair")
            return None
        return Scalar(written, is_plain=node.is_plain)

    def _give_up(self, message: str, hint: str = "") -> None:
        self._document.complain_at(self.here, (), message, hint)
        raise _GivenUpError


def _is_text(written: str) -> bool:
    """Return whether a text can be encoded; an escape can hold a lone surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in written)
