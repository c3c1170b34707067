"""Writes recordings; `playwatch.ingest.recordings` says what they are."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from playwatch.ingest.recordings import (
    BLOCK,
    COUNT,
    ENTRY,
    HEAD,
    INSTANT,
    MAGIC,
    MESSAGE,
    VERSION,
    RecordingError,
    check_version,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from playwatch.core.samples import Instant
    from playwatch.ports import Message

BLOCK_BYTES: Final = 1 << 20
"""Gathered bytes that make a block."""
BLOCK_MS: Final = 5_000
"""Time after which a block is made of less."""

_TICK: Final = struct.Struct("<cIqq")


class RecordingWriter:
    """Appends reads and ticks to a recording.

    Parameters
    ----------
    file
        Opened for appending, unbuffered.
    started
        The instant at which the session starts.
    installation
        Whose incidents these are; goes into their identity.

    Notes
    -----
    An entry costs about 1 µs, and compression 10 ns a byte, paid by the entry
    that fills a block.
    """

    def __init__(self, file: BinaryIO, started: Instant, installation: str = "") -> None:
        self._file = file
        self._gathered = bytearray()
        self._since_ms = started.monotonic_ms
        self.reads = 0
        self.messages = 0
        self.written = 0
        name = installation.encode()
        self._add(b"S", INSTANT.pack(*started) + COUNT.pack(len(name)) + name)
        self.flush()

    @classmethod
    def open(
        cls, path: Path, started: Instant, *, installation: str = "", append: bool = False
    ) -> RecordingWriter:
        """Begin a recording, or with ``append`` go on with one.

        Raises
        ------
        RecordingError
            If there is a file already, if it is no recording, or if it cannot
            be written.
        """
        try:
            if append and path.exists() and path.stat().st_size:
                check_version(path)
                return cls(path.open("ab", buffering=0), started, installation)
            file = path.open("ab" if append else "xb", buffering=0)
        except FileExistsError:
            message = f"{path} exists: name another file, or add to it with --append"
            raise RecordingError(message) from None
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}"
            raise RecordingError(message) from None
        file.write(MAGIC + b"%d\n" % VERSION)
        return cls(file, started, installation)

    def read(self, messages: Sequence[Message], now: Instant) -> None:
        """Record what one read brought."""
        parts = [INSTANT.pack(*now), COUNT.pack(len(messages))]
        for message in messages:
            topic, codec = message.topic.encode(), message.codec.encode()
            parts += (
                MESSAGE.pack(len(topic), len(codec), len(message.payload)),
                topic,
                codec,
                message.payload,
            )
        self.reads += 1
        self.messages += len(messages)
        self._add(b"R", b"".join(parts))
        self._flush_when_due(now)

    def tick(self, now: Instant) -> None:
        """Record that time was let pass."""
        self._gathered += _TICK.pack(b"T", INSTANT.size, *now)
        self._flush_when_due(now)

    def flush(self) -> None:
        """Write what was gathered.

        Raises
        ------
        RecordingError
            If the file cannot be written.
        """
        if not self._gathered:
            return
        packed = zlib.compress(self._gathered, 1)
        head = HEAD.pack(BLOCK, len(packed), len(self._gathered), zlib.crc32(packed))
        try:
            self._file.write(head + packed)
        except OSError as error:
            message = f"{self._file.name} cannot be written: {error.strerror}"
            raise RecordingError(message) from None
        self.written += HEAD.size + len(packed)
        self._gathered.clear()

    def close(self) -> None:
        """Write what was gathered and give back the file."""
        try:
            self.flush()
        finally:
            self._file.close()

    def _add(self, kind: bytes, body: bytes) -> None:
        self._gathered += ENTRY.pack(kind, len(body))
        self._gathered += body

    def _flush_when_due(self, now: Instant) -> None:
        is_old = now.monotonic_ms - self._since_ms >= BLOCK_MS
        if is_old or len(self._gathered) >= BLOCK_BYTES:
            self.flush()
            self._since_ms = now.monotonic_ms
