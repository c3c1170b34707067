from __future__ import annotations

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


def test_beyond_the_limit_only_messages_with_a_ticket_are_kept() -> None:
    backlog = Backlog(1)

    assert backlog.add(message("a"))
    assert not backlog.add(message("b"))
    assert backlog.add(message("c"), 0)
    assert payloads(backlog) == [b"a", b"c"]


def test_the_limit_in_bytes_holds_too() -> None:
    backlog = Backlog(10, limit_bytes=4)

    assert backlog.add(message("aaaa"))
    assert not backlog.add(message("b"))
    backlog.take()
    assert backlog.add(message("b"))


def test_it_is_heavy_by_what_it_may_not_refuse() -> None:
    backlog = Backlog(10, limit_bytes=4)

    backlog.add(message("aaaa"))
    assert not backlog.is_heavy
    backlog.add(message("bbbb"), 0)
    assert backlog.is_heavy
    assert backlog.bytes == 8
    backlog.take()
    assert not backlog.is_heavy


def test_acknowledging_settles_the_tickets_of_what_was_taken() -> None:
    settled: list[int] = []
    backlog = Backlog(10)
    backlog.begin(settled.extend, sends_again=False)
    backlog.add(message("a"), 0)
    backlog.add(message("b"))
    backlog.add(message("c"), 1)
    arrivals = backlog.take()
    backlog.add(message("d"), 2)
    assert not settled

    arrivals.acknowledge()

    assert settled == [0, 1]


def test_what_the_broker_sends_again_is_forgotten_and_the_rest_kept() -> None:
    settled: list[int] = []
    backlog = Backlog(10)
    backlog.add(message("a"))
    backlog.add(message("b"), 0)
    backlog.add(message("c"))

    backlog.begin(settled.extend, sends_again=True)

    assert backlog.bytes == 2
    arrivals = backlog.take()
    assert [kept.payload for kept in arrivals.messages] == [b"a", b"c"]
    arrivals.acknowledge()
    assert not settled


def test_what_the_broker_has_forgotten_is_kept_and_acknowledged_to_nobody() -> None:
    settled: list[int] = []
    backlog = Backlog(10)
    backlog.add(message("a"), 0)

    backlog.begin(settled.extend, sends_again=False)

    arrivals = backlog.take()
    assert [kept.payload for kept in arrivals.messages] == [b"a"]
    arrivals.acknowledge()
    assert not settled
