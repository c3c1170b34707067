"""MQTT packets as they come off a socket, and the two kinds that samples need."""

from __future__ import annotations

from typing import Final, NamedTuple

from playwatch.errors import BrokerError

PUBLISH: Final = 0x30
ACKNOWLEDGEMENT: Final = b"\x40\x02"
"""What stands before the id of a message of QoS 1 in its PUBACK; the reason may be left out."""

_KIND: Final = 0xF0
_QOS: Final = 0x06
_QOS_2: Final = 0x04
_RETAINED: Final = 0x01
_MORE: Final = 0x80
_DIGIT: Final = 0x7F
_LENGTH_BYTES: Final = 4


class Published(NamedTuple):
    """A message as it came.

    Attributes
    ----------
    packet_id
        Two bytes that name it in its acknowledgement; empty at QoS 0.
    """

    topic: bytes
    payload: bytes
    packet_id: bytes
    is_retained: bool


class Packet(NamedTuple):
    """Any other packet: its first byte, and what follows its length."""

    first: int
    body: bytes


class Packets:
    """Cuts what a socket brings into packets.

    Parameters
    ----------
    has_properties
        True for MQTT 5, where a message has some; they are not looked at.

    Notes
    -----
    What a packet still lacks is gathered, not looked at again: a large one
    costs two copies of its bytes, whatever the pieces it comes in.
    """

    def __init__(self, *, has_properties: bool) -> None:
        self._has_properties = has_properties
        self._parts: list[bytes] = []
        self._gathered = 0
        self._wanted = 0

    def feed(self, data: bytes) -> list[Published | Packet]:
        """Return the packets that are complete now, in their order.

        Raises
        ------
        BrokerError
            If these bytes cannot be MQTT. Nothing of them is taken then.
        """
        self._parts.append(data)
        self._gathered += len(data)
        if self._gathered < self._wanted:
            return []
        read = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        found: list[Published | Packet] = []
        done, end = 0, len(read)
        while True:
            start, stop = _frame(read, done, end)
            if stop > end:
                break
            first = read[done]
            # Of QoS 2, which nobody asks for, the library takes care.
            if first & _KIND == PUBLISH and first & _QOS != _QOS_2:
                found.append(_published(read, first, start, stop, self._has_properties))
            else:
                found.append(Packet(first, read[start:stop]))
            done = stop
        self._parts = [read[done:]] if done < end else []
        self._gathered = end - done
        self._wanted = stop - done
        return found


def _frame(read: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where a packet's body starts, and where the packet stops as far as is known."""
    size = shift = 0
    for at in range(start + 1, start + 1 + _LENGTH_BYTES):
        if at >= end:
            return at, at + 1
        digit = read[at]
        size |= (digit & _DIGIT) << shift
        if digit < _MORE:
            return at + 1, at + 1 + size
        shift += 7
    raise BrokerError(_MALFORMED)


_MALFORMED: Final = "the broker sent what is not MQTT"


def _published(
    read: bytes,
    first: int,
    start: int,
    stop: int,
    has_properties: bool,  # noqa: FBT001 - called for every message
) -> Published:
    """Return the message in a packet."""
    if stop < start + 2:
        raise BrokerError(_MALFORMED)
    named = start + 2 + (read[start] << 8 | read[start + 1])
    topic = read[start + 2 : named]
    packet_id = b""
    if first & _QOS:
        packet_id = read[named : named + 2]
        named += 2
    if has_properties:
        if named < stop and not read[named]:
            named += 1
        else:
            _, named = _frame(read, named - 1, stop)
    if named > stop or not topic:
        raise BrokerError(_MALFORMED)
    return Published(topic, read[named:stop], packet_id, bool(first & _RETAINED))
