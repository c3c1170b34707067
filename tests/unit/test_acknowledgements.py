from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from playwatch.ingest.acknowledgements import Acknowledgements


def test_messages_settled_together_are_acknowledged_in_one_write() -> None:
    written: list[bytes] = []
    waiting = Acknowledgements(written.append)
    tickets = [waiting.expect(packet_id) for packet_id in (b"\x00\x05", b"\x00\x01")]

    waiting.settle(tickets)
    waiting.settle(tickets)

    assert written == [b"\x40\x02\x00\x05\x40\x02\x00\x01"]


def test_none_is_acknowledged_before_an_earlier_one() -> None:
    written: list[bytes] = []
    waiting = Acknowledgements(written.append)
    first, second = waiting.expect(b"\x00\x01"), waiting.expect(b"\x00\x02")

    waiting.settle([second])
    assert not written
    waiting.settle([first])

    assert written == [b"\x40\x02\x00\x01\x40\x02\x00\x02"]


def test_a_packet_id_that_comes_twice_is_acknowledged_twice() -> None:
    written: list[bytes] = []
    waiting = Acknowledgements(written.append)
    tickets = [waiting.expect(b"\x00\x07") for _ in range(2)]

    waiting.settle(tickets)

    assert written == [b"\x40\x02\x00\x07" * 2]


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(12)), st.integers(1, 5))
def test_every_order_of_settling_acknowledges_all_in_the_order_of_arrival(
    order: list[int], together: int
) -> None:
    written = bytearray()
    waiting = Acknowledgements(written.extend)
    tickets = [waiting.expect(bytes((0, number))) for number in range(12)]

    for start in range(0, 12, together):
        waiting.settle([tickets[at] for at in order[start : start + together]])

    assert list(written[3::4]) == list(range(12))
