"""Tells systemd how the engine is: ready, alive, stopping."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Supervisor:
    """Speaks to the service manager that started this process, where there is one.

    Parameters
    ----------
    environ
        Has ``NOTIFY_SOCKET``, and ``WATCHDOG_USEC`` where a sign of life is
        wanted; see sd_notify(3).

    Notes
    -----
    A message that cannot be sent is dropped: the engine never waits for it.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An address in the abstract namespace is written with an @.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        wanted = environ.get("WATCHDOG_USEC", "")
        is_for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(wanted) / 1e6 if wanted.isdecimal() and is_for_us else 0.0

    def say(self, *states: str) -> None:
        """Send assignments such as ``READY=1``."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join(states).encode(), self._address)

    async def keep_alive(self) -> None:
        """Give a sign of life twice as often as one is wanted, until cancelled.

        Notes
        -----
        It comes from the loop that evaluates: when that hangs, nothing comes,
        and the service manager starts the engine anew. A broker that is away
        is no reason for that.
        """
        while self.watchdog_s:
            self.say("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)
