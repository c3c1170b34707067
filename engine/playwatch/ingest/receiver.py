"""How messages leave the client library: without a task for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Self

log = logging.getLogger("playwatch.ingest")

Receive = Callable[[str | bytes, bytes, int, bool], asyncio.Future[int]]


def _done() -> asyncio.Future[int]:
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(0)
    return done


async def _declared() -> int:
    """Stand before a receiver, so that the library awaits what it returns."""
    return 0


class Receiver(partial[Any]):
    """Passes messages on.

    gmqtt acknowledges after effect only for a coroutine function, and makes a
    task for each of its calls. It looks through partials to see what a function
    is, and a task made of a future is that future: so this is a partial of a
    coroutine function that, called, returns a future. It costs less than a task.
    """

    receive: Receive

    def __new__(cls, receive: Receive) -> Self:
        """Wrap a receiver."""
        receiver = super().__new__(cls, _declared)
        receiver.receive = receive
        return receiver

    def __call__(
        self,
        _client: object,
        topic: str | bytes,
        payload: bytes,
        qos: int,
        properties: dict[str, Any],
    ) -> asyncio.Future[int]:
        """Receive one message."""
        try:
            return self.receive(topic, payload, qos, bool(properties["retain"]))
        except Exception:
            # Without an answer the broker would wait for ever.
            log.exception("a message on %r was lost by an error of ours", topic)
            return _done()
