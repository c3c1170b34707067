"""Turns signals into events: an orderly stop, and a configuration to read again."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def stop_requested() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets; a second one ends at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def request() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, request)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextmanager
def hang_ups() -> Iterator[asyncio.Event]:
    """Yield an event that every SIGHUP sets; whoever waits for it clears it."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    try:
        yield asked
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


@contextmanager
def interrupted() -> Iterator[asyncio.Event]:
    """Yield an event that SIGINT, SIGTERM and SIGHUP set, however often they come.

    For what has processes of its own to end, however impatient somebody is.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
