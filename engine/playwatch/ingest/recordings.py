"""Recordings: what arrived, and when, so that it can be evaluated again.

A recording keeps every read with its raw messages, and every tick, each with
the instant on both clocks that the engine used. Fed to the same rules it gives
the same transitions, whatever the machine is doing now.

The format, version 1
---------------------
The file begins with the line ``playwatch-recording 1``. Blocks follow, each

==========  =====================================================
4 bytes     ``PWRB``
3 x uint32  compressed size, size, CRC-32 of the compressed bytes
the rest    entries, compressed by zlib
==========  =====================================================

and an entry is one byte for its kind, a uint32 with the size of its body, and
the body. Numbers are little-endian; an instant is two int64, milliseconds on
the wall clock and on the monotonic clock. A text has its size before it.

=====  ==============================================================
kind   body
=====  ==============================================================
``S``  an instant, and the name of the installation: a session starts,
       and with it another monotonic clock
``R``  an instant and messages, each topic, codec and payload
``T``  an instant: time was let pass
=====  ==============================================================

Kinds that a later version may add are skipped. Blocks are only ever appended,
each in one write: a process that is killed loses what it had gathered since the
last one, at most a megabyte or five seconds. A block that is torn or damaged
is reported and left out, and reading goes on at the next one.

JSON lines would be readable, but binary payloads would need base64, and a
week of a thousand series would take five times the space and the time.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.core.samples import Instant
from playwatch.errors import PlaywatchError
from playwatch.ports import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

VERSION: Final = 1
MAGIC: Final = b"playwatch-recording "
BLOCK: Final = b"PWRB"

HEAD: Final = struct.Struct("<4sIII")
ENTRY: Final = struct.Struct("<cI")
INSTANT: Final = struct.Struct("<qq")
COUNT: Final = struct.Struct("<I")
MESSAGE: Final = struct.Struct("<IBI")

_MAX_BLOCK: Final = 1 << 30
_MAX_DAMAGES: Final = 20


class RecordingError(PlaywatchError):
    """A recording cannot be written, or is none that this version can read."""


@dataclass(frozen=True, slots=True)
class Start:
    """A session begins: its monotonic clock has nothing to do with the one before."""

    now: Instant
    installation: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What one read brought."""

    now: Instant
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time was let pass."""

    now: Instant


Entry = Start | Read | Tick


class Recording:
    """Reads a recording, as far as it can be read.

    Parameters
    ----------
    path
        The file. It may still be growing; what comes later is not read.

    Raises
    ------
    RecordingError
        If the file cannot be read, is no recording, or is of a newer version.

    Attributes
    ----------
    size, position
        Bytes of the file, and how many of them have been read.
    damages
        What had to be left out, in words; at most 20.
    """

    def __init__(self, path: Path) -> None:
        check_version(path)
        self.path = path
        self.size = path.stat().st_size
        self.position = 0
        self.damages: list[str] = []

    def entries(self) -> Iterator[Entry]:
        """Iterate over what was recorded, in order."""
        for block in self._blocks():
            yield from _entries(block)

    def _blocks(self) -> Iterator[bytes]:
        with (
            self.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as all_,
        ):
            place = all_.find(b"\n", 0, 64) + 1
            while place < self.size:
                found = self._block(all_, place)
                if found is not None:
                    block, place = found
                    self.position = place
                    yield block
                    continue
                after = all_.find(BLOCK, place + 1, self.size)
                end = self.size if after < 0 else after
                what = "the end is torn" if after < 0 else "damaged"
                if len(self.damages) < _MAX_DAMAGES:
                    message = f"{self.path}: byte {place}: {what}, {end - place} bytes are left out"
                    self.damages.append(message)
                place = self.position = end

    def _block(self, file: mmap.mmap, place: int) -> tuple[bytes, int] | None:
        """Return the entries of the block at a place and where it ends; None for no whole block."""
        start = place + HEAD.size
        if start > self.size:
            return None
        magic, packed_size, size, checksum = HEAD.unpack_from(file, place)
        end = start + packed_size
        if magic != BLOCK or end > self.size or size > _MAX_BLOCK:
            return None
        packed = file[start:end]
        if zlib.crc32(packed) != checksum:
            return None
        return zlib.decompressobj().decompress(packed, size), end


def check_version(path: Path) -> None:
    """Raise `RecordingError` unless a file is a recording of a version that is known."""
    try:
        with path.open("rb") as file:
            line = file.readline(64)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise RecordingError(message) from None
    number = line.removeprefix(MAGIC).strip()
    if not line.startswith(MAGIC) or not number.isdigit():
        message = f"{path} is not a recording"
        raise RecordingError(message)
    if int(number) > VERSION:
        found = int(number)
        message = f"{path} has version {found}, this Playwatch knows {VERSION}: upgrade"
        raise RecordingError(message)


def is_recording(path: Path) -> bool:
    """Return whether a file says that it is a recording."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _entries(block: bytes) -> Iterator[Entry]:
    """Iterate over the entries of a block."""
    texts: dict[bytes, str] = {}
    place = 0
    while place < len(block):
        kind, size = ENTRY.unpack_from(block, place)
        place += ENTRY.size
        if kind == b"T":
            yield Tick(Instant(*INSTANT.unpack_from(block, place)))
        elif kind == b"R":
            now = Instant(*INSTANT.unpack_from(block, place))
            yield Read(now, _messages(block, place + INSTANT.size, texts))
        elif kind == b"S":
            now = Instant(*INSTANT.unpack_from(block, place))
            name = block[place + INSTANT.size + COUNT.size : place + size]
            yield Start(now, name.decode("utf-8", "replace"))
        place += size


def _messages(block: bytes, place: int, texts: dict[bytes, str]) -> list[Message]:
    """Return the messages of a read; equal topics are one text."""
    (count,) = COUNT.unpack_from(block, place)
    place += COUNT.size
    messages = []
    for _ in range(count):
        topic_size, codec_size, size = MESSAGE.unpack_from(block, place)
        place += MESSAGE.size
        codec_at = place + topic_size
        payload_at = codec_at + codec_size
        names = block[place:payload_at]
        topic, codec = names[:topic_size], names[topic_size:]
        if topic not in texts:
            texts[topic] = topic.decode("utf-8", "replace")
        if codec not in texts:
            texts[codec] = codec.decode("utf-8", "replace")
        messages.append(Message(texts[topic], block[payload_at : payload_at + size], texts[codec]))
        place = payload_at + size
    return messages
