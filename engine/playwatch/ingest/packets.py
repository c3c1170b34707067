"""MQTT packets as they come off a socket, and the two kinds that samples need."""

from __future__ import annotations

from typing import Final, NamedTuple

from playwatch.errors import BrokerError

PUBLISH: Final = 0x30
ACKNOWLEDGEMENT: Final = b"\x40\x02"
"""What stands before the id of a message of QoS 1 in its PUBACK; the reason may be left out."""

READ_BYTES: Final = 256 * 1024
"""How much one read of the socket may bring."""

_LARGE_BYTES: Final = READ_BYTES
_MOST_KEPT_BYTES: Final = 4 * 1024 * 1024
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

    Ask for `room`, read into it, and say how much was `filled`.

    Parameters
    ----------
    has_properties
        True for MQTT 5, where a message has some; they are not looked at.

    Notes
    -----
    What a packet still lacks is gathered, not looked at again. A large one is
    read to where it belongs, in memory that is used for the next one again:
    the system's time for fresh memory would be most of what it costs.
    """

    def __init__(self, *, has_properties: bool) -> None:
        self._has_properties = has_properties
        self._read = memoryview(bytearray(READ_BYTES))
        self._large = memoryview(bytearray())
        self._is_large = False
        self._parts: list[bytes] = []
        self._gathered = 0
        self._wanted = 0

    @property
    def room(self) -> memoryview:
        """Where the next bytes belong; not empty."""
        return self._large[self._gathered : self._wanted] if self._is_large else self._read

    def filled(self, count: int) -> list[Published | Packet]:
        """Return the packets that are complete now, in their order.

        Parameters
        ----------
        count
            How many bytes were written to the `room`, from its beginning.

        Raises
        ------
        BrokerError
            If these bytes cannot be MQTT. Nothing of them is taken then.
        """
        if not self._is_large:
            return self._feed(bytes(self._read[:count]))
        self._gathered += count
        if self._gathered < self._wanted:
            return []
        size, self._gathered, self._wanted, self._is_large = self._wanted, 0, 0, False
        return [self._packet(self._large, 0, *_frame(self._large, 0, size))]

    def _feed(self, data: bytes) -> list[Published | Packet]:
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
            found.append(self._packet(read, done, start, stop))
            done = stop
        self._parts = [read[done:]] if done < end else []
        self._gathered = end - done
        self._wanted = stop - done
        if _LARGE_BYTES <= self._wanted <= _MOST_KEPT_BYTES:
            self._begin_large()
        return found

    def _packet(
        self, read: bytes | memoryview, at: int, start: int, stop: int
    ) -> Published | Packet:
        first = read[at]
        # Of QoS 2, which nobody asks for, the library takes care.
        if first & _KIND == PUBLISH and first & _QOS != _QOS_2:
            return _published(read, first, start, stop, self._has_properties)
        return Packet(first, bytes(read[start:stop]))

    def _begin_large(self) -> None:
        """Let what a large packet lacks be read behind what there is of it."""
        if len(self._large) < self._wanted:
            self._large = memoryview(bytearray(self._wanted))
        (begun,) = self._parts
        self._large[: len(begun)] = begun
        self._parts = []
        self._is_large = True


def _frame(read: bytes | memoryview, start: int, end: int) -> tuple[int, int]:
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
    read: bytes | memoryview,
    first: int,
    start: int,
    stop: int,
    has_properties: bool,  # noqa: FBT001 - called for every message
) -> Published:
    """Return the message in a packet."""
    if stop < start + 2:
        raise BrokerError(_MALFORMED)
    named = start + 2 + (read[start] << 8 | read[start + 1])
    topic = bytes(read[start + 2 : named])
    packet_id = b""
    if first & _QOS:
        packet_id = bytes(read[named : named + 2])
        named += 2
    if has_properties:
        if named < stop and not read[named]:
            named += 1
        else:
            _, named = _frame(read, named - 1, stop)
    if named > stop or not topic:
        raise BrokerError(_MALFORMED)
    return Published(topic, bytes(read[named:stop]), packet_id, bool(first & _RETAINED))
