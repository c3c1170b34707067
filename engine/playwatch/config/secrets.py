"""Secrets and the environment: ``${NAME}`` in any text, ``*_file`` beside a secret.

What came from the environment never stands in a problem: `Environment` knows
every value it gave out and puts its name in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from playwatch.config.fields import Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwatch.config.document import Document
    from playwatch.config.document import Path as KeyPath
    from playwatch.errors import Problem

TWINS: Final = {
    "mqtt": ("password",),
    "web": ("token",),
    "web.tokens": ("secret",),
    "channels": ("integration_key", "webhook_url", "secret"),
}
"""Where a secret may be given as ``<key>_file``."""

FILE_LIMIT: Final = 64 * 1024
"""Bytes that a file with one secret may have."""

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
# Shorter values are no secrets, and replacing them would garble a sentence.
_SHORTEST_HIDDEN: Final = 4


@dataclass(slots=True)
class Environment:
    """The environment variables that files may name.

    Attributes
    ----------
    variables
        Their values.
    need_secrets
        False to let unset variables and unreadable secret files pass.
    """

    variables: Mapping[str, str]
    need_secrets: bool = True
    _given: dict[str, str] = field(default_factory=dict, repr=False)

    def expand(self, document: Document) -> None:
        """Put values in the place of every ``${NAME}`` in a document's texts."""
        document.value = self._expanded(document, document.value, ())

    def read_twins(self, document: Document, folder: Path) -> None:
        """Put the content of every ``password_file`` and the like in its place.

        Relative paths start at ``folder``.
        """
        for section, keys in TWINS.items():
            for path, holder in _holders(document.value, section.split(".")):
                for key in keys:
                    self._read_twin(document, folder, holder, path, key)

    def redacted(self, problem: Problem) -> Problem:
        """Return a problem in which no value of the environment stands."""
        return replace(
            problem, message=self._hidden(problem.message), hint=self._hidden(problem.hint)
        )

    def _hidden(self, words: str) -> str:
        for value in sorted(self._given, key=len, reverse=True):
            for spelling in (value, repr(value)[1:-1]):
                words = words.replace(spelling, self._given[value])
        return words

    def _remember(self, value: str, name: str) -> None:
        for part in (value, value.strip()):
            if len(part) >= _SHORTEST_HIDDEN:
                self._given[part] = name

    def _expanded(self, document: Document, value: object, path: KeyPath) -> object:
        if isinstance(value, dict):
            return {key: self._expanded(document, v, (*path, key)) for key, v in value.items()}
        if isinstance(value, list):
            return [self._expanded(document, v, (*path, i)) for i, v in enumerate(value)]
        if isinstance(value, Scalar) and "${" in value:
            return self._expanded_text(document, value, path)
        return value

    def _expanded_text(self, document: Document, value: Scalar, path: KeyPath) -> Scalar:
        missing = ""
        is_expanded = False

        def put(found: re.Match[str]) -> str:
            nonlocal missing, is_expanded
            name = found[1]
            if found[0] == "$${":
                return "${"
            if name is None:
                document.complain(
                    path, "${ does not begin a variable's name", "write ${NAME}, or $${ for itself"
                )
                return found[0]
            content = self.variables.get(name)
            if content is None:
                missing = missing or name
                return found[0]
            is_expanded = True
            self._remember(content, found[0])
            return content

        text = _REFERENCE.sub(put, value)
        if missing and self.need_secrets:
            document.complain(path, *unset(missing))
        self._remember(text, str(value)) if is_expanded else None
        return Scalar(
            text,
            is_plain=value.is_plain and not is_expanded,
            is_expanded=is_expanded,
            missing=missing,
        )

    def _read_twin(
        self, document: Document, folder: Path, holder: dict[str, object], path: KeyPath, key: str
    ) -> None:
        twin = f"{key}_file"
        if twin not in holder:
            return
        named = holder.pop(twin)
        inner = (*path, twin)
        if key in holder:
            document.complain(
                inner, f"{key} and {twin} are both given", "keep one of them", of_key=True
            )
            return
        document.values[(*path, key)] = document.values[inner]
        holder[key] = self._secret(document, folder, named, inner)

    def _secret(self, document: Document, folder: Path, named: object, path: KeyPath) -> Scalar:
        """Return what a file holds; a placeholder where it cannot be read."""
        placeholder = Scalar("", missing=str(path[-1]))
        if isinstance(named, Scalar) and named.missing:
            return placeholder
        if not isinstance(named, Scalar) or not named or "\0" in named:
            document.complain(path, "must be the path of a file")
            return placeholder
        try:
            with (folder / named).open("rb") as file:
                content = file.read(FILE_LIMIT + 1)
        except OSError as error:
            if self.need_secrets:
                document.complain(path, f"cannot be read: {error.strerror}")
            return placeholder
        return self._trimmed(document, content, path) or placeholder

    def _trimmed(self, document: Document, content: bytes, path: KeyPath) -> Scalar | None:
        try:
            text = content.decode().strip()
        except UnicodeDecodeError:
            document.complain(path, "the file is not text in UTF-8")
            return None
        if not text or len(content) > FILE_LIMIT:
            what = "longer than 64 KiB" if text else "empty"
            document.complain(path, f"the file is {what}", "it holds the secret and nothing else")
            return None
        self._remember(text, f"<{path[-1]}>")
        return Scalar(text, is_expanded=True)


def _holders(
    value: object, section: list[str], path: KeyPath = ()
) -> Iterator[tuple[KeyPath, dict[str, object]]]:
    """Iterate over the mappings of a section; a list in it stands for each of its items."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _holders(item, section, (*path, number))
    elif isinstance(value, dict) and section:
        yield from _holders(value.get(section[0]), section[1:], (*path, section[0]))
    elif isinstance(value, dict):
        yield path, value


def unset(name: str) -> tuple[str, str]:
    """Return what to say of an environment variable that is not set."""
    return f"the environment variable {name} is not set", "set it, or write $${ for a plain ${"
