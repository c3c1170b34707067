from __future__ import annotations

import asyncio

from playwatch.ingest.backlog import Backlog
from playwatch.ports import Message


def message(text: str) -> Message:
    return Message("t", text.encode(), "native")


def payloads(backlog: Backlog) -> list[bytes]:
    return [taken.payload for taken in backlog.take().messages]


def test_everything_is_taken_once_and_in_order() -> None:
    backlog = Backlog(10)
    for text in "abc":
        backlog.add(message(text))

    assert payloads(backlog) == [b"a", b"b", b"c"]
    assert payloads(backlog) == []


def test_beyond_the_limit_only_messages_with_a_receipt_are_kept() -> None:
    loop = asyncio.new_event_loop()
    backlog = Backlog(1)

    assert backlog.add(message("a"))
    assert not backlog.add(message("b"))
    assert backlog.add(message("c"), loop.create_future())
    assert payloads(backlog) == [b"a", b"c"]
    loop.close()


def test_the_limit_in_bytes_holds_too() -> None:
    backlog = Backlog(10, limit_bytes=4)

    assert backlog.add(message("aaaa"))
    assert not backlog.add(message("b"))
    backlog.take()
    assert backlog.add(message("b"))


async def test_acknowledging_resolves_receipts_once_and_twice_does_no_harm() -> None:
    receipt: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    backlog = Backlog(10)
    backlog.add(message("a"), receipt)
    arrivals = backlog.take()
    assert not receipt.done()

    arrivals.acknowledge()
    arrivals.acknowledge()

    assert receipt.result() == 0


async def test_held_messages_are_forgotten_and_the_others_kept() -> None:
    receipt: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    backlog = Backlog(10)
    backlog.add(message("a"))
    backlog.add(message("b"), receipt)
    backlog.add(message("c"))

    backlog.forget_held()

    arrivals = backlog.take()
    assert [kept.payload for kept in arrivals.messages] == [b"a", b"c"]
    arrivals.acknowledge()
    assert not receipt.done()
