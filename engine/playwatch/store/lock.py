"""The lock: one engine writes to a store."""

from __future__ import annotations

import fcntl
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from playwatch.errors import StoreError, StoreLockedError

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST: Final = 4096


class Holder(msgspec.Struct):
    """Who holds the lock of a store, as its lock file says."""

    pid: int
    host: str
    since: str = ""

    def __str__(self) -> str:
        """Return ``process 1234 on host since 2026-11-23T10:00:00Z``."""
        since = f" since {self.since}" if self.since else ""
        return f"process {self.pid} on {self.host}{since}"


class StoreLock:
    """A lock file beside the store, held until released or the process ends.

    Notes
    -----
    The lock is the kernel's (``flock``), so it ends with its process however
    that dies, and what an old file says is no obstacle. The file is never
    removed: two engines could then lock two files of one name.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, store: Path, at: int | None = None) -> StoreLock:
        """Return the lock of a store, now held by this process.

        Parameters
        ----------
        store
            The path of the store; the file is ``<store>.lock`` beside it.
        at
            Wall-clock milliseconds, told to whoever finds the store locked.

        Raises
        ------
        StoreLockedError
            If another engine holds it.
        StoreError
            If the lock file cannot be made.
        """
        path = store.with_name(f"{store.name}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            message = f"store {store} cannot be locked: {path}: {error.strerror}"
            raise StoreError(message) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, msgspec.json.encode(_this_process(at)) + b"\n")
        except BlockingIOError:
            holder = _read(descriptor)
            os.close(descriptor)
            raise StoreLockedError(str(store), holder) from None
        except OSError as error:
            os.close(descriptor)
            message = f"store {store} cannot be locked: {path}: {error.strerror}"
            raise StoreError(message) from error
        return cls(descriptor)

    def release(self) -> None:
        """Give up the lock; again is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(store: Path) -> bool:
    """Return whether an engine holds a store; nothing is made or changed."""
    path = store.resolve().with_name(f"{store.name}.lock")
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _this_process(at: int | None) -> Holder:
    since = "" if at is None else f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Holder(os.getpid(), socket.gethostname(), since)


def _read(descriptor: int) -> str:
    try:
        return str(msgspec.json.decode(os.pread(descriptor, _LONGEST, 0), type=Holder))
    except msgspec.MsgspecError:  # the holder has not written its name yet
        return "another process"
