"""How the whole suite is run, and what it starts once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests import forks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share the whole suite among processes; run what is named in this one.

    One more than there are processors, since many tests wait for other processes.
    """
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Let a worker report texts that are not UTF-8, as some tests log and print."""
    return _sendable((yield))


def _sendable(told: Any) -> Any:  # noqa: ANN401 - what a report is made of
    match told:
        case str():
            return told.encode(errors="backslashreplace").decode()
        case dict():
            return {_sendable(name): _sendable(one) for name, one in told.items()}
        case list() | tuple():
            return type(told)(map(_sendable, told))
    return told


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    """End the process that forks for commands, should a test have begun it."""
    yield
    forks.close()
