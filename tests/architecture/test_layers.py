"""Who imports whom: the contracts of ``.importlinter``, and one owner per library."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.application.use_cases import lint_imports

CONTRACTS = Path(__file__).parents[2] / ".importlinter"

OWNERS: dict[str, tuple[str, ...]] = {
    "aiohttp": (
        "playwatch.channels",
        "playwatch.demo",
        "playwatch.ingest.http",
        "playwatch.web",
    ),
    "aiosqlite": ("playwatch.store.connection",),
    "amqtt": ("playwatch.ingest.embedded",),
    "bokeh": ("playwatch.web.charts",),
    "gmqtt": ("playwatch.ingest",),
    "jinja2": ("playwatch.web",),
    "markupsafe": ("playwatch.web",),
    # Messages, rows, the packed samples of `publish` and the API's answers are documents too.
    "msgspec": (
        "playwatch.channels.sendable",
        "playwatch.cli",
        "playwatch.codecs",
        "playwatch.demo",
        "playwatch.store",
        "playwatch.web",
    ),
    "prometheus_client": ("playwatch.telemetry",),
    "pydantic": ("playwatch.cli", "playwatch.config"),
    "pydantic_core": ("playwatch.config",),
    "rich": ("playwatch.cli", "playwatch.demo"),
    "sklearn": ("playwatch_models.forest",),
    "sqlite3": ("playwatch.store",),
    # The log's time stamps are UTC.
    "time": ("playwatch.cli.logs", "playwatch.runtime.clock"),
    "typer": ("playwatch.cli",),
    "yaml": ("playwatch.config",),
}
"""Who may import a library: a module, or a package with all that it holds."""


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        "playwatch",
        "playwatch_models",
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


def _contracts() -> list[str]:
    options = read_configuration(str(CONTRACTS))
    return [contract["id"] for contract in options["contracts_options"]]


@pytest.mark.parametrize("contract", _contracts())
def test_the_contract_is_kept(contract: str, capsys: pytest.CaptureFixture[str]) -> None:
    is_kept = lint_imports(
        config_filename=str(CONTRACTS),
        limit_to_contracts=(contract,),
        cache_dir=None,
        no_logo=True,
    )

    assert is_kept, capsys.readouterr().out


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owners_only(library: str) -> None:
    if library not in _graph().modules:
        return
    importers = _graph().find_modules_that_directly_import(library)
    strangers = {
        module
        for module in importers
        if not any(module == owner or module.startswith(f"{owner}.") for owner in OWNERS[library])
    }

    assert strangers == set()


def test_a_codec_imports_no_other_codec() -> None:
    """``fields`` is what codecs share; the package itself lists them.

    A codec of several files names each after the first.
    """
    package = "playwatch.codecs"
    formats = _graph().find_children(package) - {f"{package}.fields"}
    crossing = {
        (one, other)
        for one in formats
        for other in _graph().find_modules_directly_imported_by(one)
        if other in formats and not other.startswith(f"{one}_")
    }

    assert crossing == set()
