"""What systemd is told."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from playwatch.cli.supervisor import Supervisor
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(PATIENCE_S)
        yield listener


def test_states_arrive_as_lines(manager: socket.socket) -> None:
    Supervisor({"NOTIFY_SOCKET": manager.getsockname()}).say("READY=1", "STATUS=3 rules at work")

    assert manager.recv(1000) == b"READY=1\nSTATUS=3 rules at work"


def test_without_a_manager_or_with_one_that_has_gone_nothing_happens(tmp_path: Path) -> None:
    Supervisor({}).say("READY=1")
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say("READY=1")
    Supervisor({"NOTIFY_SOCKET": "@playwatch-test-nobody"}).say("READY=1")


async def test_signs_of_life_come_twice_as_often_as_wanted(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "20000"}
    living = asyncio.create_task(Supervisor(environ).keep_alive())
    for _ in range(3):
        assert await asyncio.to_thread(manager.recv, 1000) == b"WATCHDOG=1"
    living.cancel()


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}]
)
async def test_nobody_who_does_not_ask_is_given_a_sign(environ: dict[str, str]) -> None:
    assert os.getpid() != 1
    await Supervisor(environ).keep_alive()
