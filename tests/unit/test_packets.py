from __future__ import annotations

import struct
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from playwatch.bench.wire import remaining_length
from playwatch.errors import BrokerError
from playwatch.ingest.packets import READ_BYTES, Packet, Packets, Published

PINGRESP = b"\xd0\x00"


def fed_to(packets: Packets, data: bytes) -> list[Published | Packet]:
    """Read bytes as a socket does: as much at once as there is room for."""
    found: list[Published | Packet] = []
    while data:
        room = packets.room
        count = min(len(room), len(data))
        room[:count] = data[:count]
        found += packets.filled(count)
        data = data[count:]
    return found


def published(one: Published, *, properties: bytes | None) -> bytes:
    """Return a message as a broker writes it; properties for MQTT 5."""
    body = struct.pack(">H", len(one.topic)) + one.topic + one.packet_id
    if properties is not None:
        body += remaining_length(len(properties)) + properties
    body += one.payload
    first = 0x30 | (0x02 if one.packet_id else 0) | one.is_retained
    return bytes((first,)) + remaining_length(len(body)) + body


MESSAGES = st.builds(
    Published,
    topic=st.binary(min_size=1, max_size=9),
    payload=st.binary(max_size=300),
    packet_id=st.sampled_from([b"", b"\x00\x01", b"\xff\xff"]),
    is_retained=st.booleans(),
)
PROPERTIES = st.one_of(st.none(), st.binary(max_size=200))


@settings(deadline=None, max_examples=100)
@given(st.lists(MESSAGES, max_size=5), PROPERTIES, st.lists(st.integers(0, 3000), max_size=8))
def test_messages_are_the_same_whatever_the_pieces_they_come_in(
    messages: list[Published], properties: bytes | None, cuts: list[int]
) -> None:
    stream = b"".join(published(one, properties=properties) + PINGRESP for one in messages)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    packets = Packets(has_properties=properties is not None)

    found = [
        packet for low, high in pairwise(edges) for packet in fed_to(packets, stream[low:high])
    ]

    assert found == [each for one in messages for each in (one, Packet(0xD0, b""))]


@pytest.mark.parametrize("size", [70_000, READ_BYTES - 20, READ_BYTES + 1, 3 * READ_BYTES])
@pytest.mark.parametrize("piece", [60_000, READ_BYTES])
def test_messages_larger_than_a_read_stand_between_small_ones(size: int, piece: int) -> None:
    small = Published(b"s", b"1", b"\x00\x01", is_retained=False)
    large = Published(b"l", bytes(range(250)) * (size // 250), b"\x00\x02", is_retained=False)
    packets = Packets(has_properties=False)
    stream = b"".join(published(one, properties=None) for one in [small, large] * 3)

    found = [
        packet
        for start in range(0, len(stream), piece)
        for packet in fed_to(packets, stream[start : start + piece])
    ]

    assert found == [small, large] * 3


def test_a_large_message_is_put_together_from_single_bytes() -> None:
    one = Published(b"t", bytes(20_000), b"\x00\x01", is_retained=False)
    packets = Packets(has_properties=False)

    found = [fed_to(packets, bytes((byte,))) for byte in published(one, properties=None)]

    assert found[-1] == [one]
    assert not any(found[:-1])


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans())
def test_no_bytes_do_more_than_end_the_connection(
    pieces: list[bytes],
    has_properties: bool,  # noqa: FBT001 - drawn
) -> None:
    found, is_refused = fed(pieces, has_properties=has_properties)
    whole, is_whole_refused = fed([b"".join(pieces)], has_properties=has_properties)

    assert is_refused is is_whole_refused
    assert is_refused or found == whole


def fed(pieces: list[bytes], *, has_properties: bool) -> tuple[list[Published | Packet], bool]:
    """Return what came of some bytes, and whether they were refused."""
    packets, found = Packets(has_properties=has_properties), []
    try:
        for piece in pieces:
            found += fed_to(packets, piece)
    except BrokerError:
        return found, True
    return found, False


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(b"\x30\xff\xff\xff\xff\x01", id="a length of five bytes"),
        pytest.param(b"\x30\x01\x00", id="no room for a topic"),
        pytest.param(b"\x30\x04\x00\x09ab", id="a topic beyond the end"),
        pytest.param(b"\x30\x03\x00\x00a", id="no topic"),
        pytest.param(b"\x32\x04\x00\x01a\x00", id="half a packet id"),
    ],
)
def test_a_broken_packet_is_said_to_be_no_mqtt(read: bytes) -> None:
    with pytest.raises(BrokerError, match="not MQTT"):
        fed_to(Packets(has_properties=False), read)


@pytest.mark.parametrize("properties", [b"\x05abc", b"\xff\xff\xff\xff", b""])
def test_properties_beyond_the_end_are_said_to_be_no_mqtt(properties: bytes) -> None:
    body = b"\x00\x01t" + properties

    with pytest.raises(BrokerError, match="not MQTT"):
        fed_to(Packets(has_properties=True), b"\x30" + bytes((len(body),)) + body + PINGRESP)


def test_a_message_of_qos_2_is_left_to_the_library() -> None:
    body = b"\x00\x01t\x00\x01x"

    assert fed_to(Packets(has_properties=False), b"\x34\x06" + body) == [Packet(0x34, body)]
