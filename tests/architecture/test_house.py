"""The source tree keeps the house rules that no linter checks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "models").rglob("*.py")])

MAX_LINES = 320
MAX_FUNCTION_LINES = 60
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "types", "misc"}

DECLARATIONS = {"telemetry.py": {"__init__"}}
"""Functions that are one long list: each entry is read alone."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

each_file = pytest.mark.parametrize(
    "path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES]
)


@each_file
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@each_file
def test_a_file_is_named_by_its_noun(path: Path) -> None:
    assert path.stem not in NAMELESS
    assert path.parent.name not in NAMELESS


@each_file
def test_a_function_is_short(path: Path) -> None:
    long = {
        node.name: length
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name not in DECLARATIONS.get(path.name, ())
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    }

    assert long == {}


@each_file
def test_documented_parameters_are_those_of_the_signature(path: Path) -> None:
    """A docstring may leave parameters out; it names none that is not there, in order."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, Definition):
            continue
        documented = _section(ast.get_docstring(node) or "", "Parameters")
        known = _parameters(node)
        in_order = [name for name in known if name in documented]
        if documented != in_order:
            wrong.append(f"{node.name}: documents {documented}, takes {known}")

    assert wrong == []


def _section(docstring: str, title: str) -> list[str]:
    """Return the names that a numpydoc section describes."""
    match = re.search(
        rf"^{title}\n-+\n(.*?)(?=\n\w[\w ]*\n-+\n|\Z)", docstring, re.MULTILINE | re.DOTALL
    )
    if match is None:
        return []
    lines = [line for line in match[1].splitlines() if line and not line.startswith(" ")]
    return [
        name.strip().lstrip("*") for line in lines for name in line.partition(" : ")[0].split(",")
    ]


def _parameters(node: Definition) -> list[str]:
    """Return the names of what a function or a class is called with."""
    if isinstance(node, ast.ClassDef):
        for child in node.body:
            if (
                isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                and child.name == "__init__"
            ):
                return _parameters(child)
        return [
            child.target.id
            for child in node.body
            if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name)
        ]
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs]
    named = [one.arg for one in [*every, arguments.kwarg] if one is not None]
    return [name for name in named if name not in {"self", "cls"}]
