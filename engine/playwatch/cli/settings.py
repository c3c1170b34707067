"""Reads a configuration file for a command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.config.schema import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def load(path: Path, *, need_secrets: bool = True) -> Settings:
    """Return the settings of a file, its variables taken from the environment.

    Raises
    ------
    ConfigError
        With every mistake of every file, each with its place.
    """
    from playwatch.config.load import load_config

    return load_config(path, environ=os.environ, need_secrets=need_secrets)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 rule``, ``3 rules``."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def at_work(settings: Settings) -> str:
    """Return what is set to work: ``3 rules, every percentage watched, 1 channel``."""
    written = settings.anomalies
    watched = "every percentage watched"
    if written is not None:
        watched = counted(sum(one.enabled for one in written), "anomaly", "anomalies")
    rules, channels = len(settings.rules), len(settings.channels)
    return f"{counted(rules, 'rule')}, {watched}, {counted(channels, 'channel')}"
