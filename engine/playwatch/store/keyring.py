"""The key ring: the only place where keys of receivers rest, beside the store.

Deliveries name the key they were routed with by its fingerprint. A resolve has
to go out with the key of its trigger, even when the configuration has a new
one or has lost the channel; so each key is kept until nothing refers to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping  # noqa: TC003 - msgspec reads it
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from playwatch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

_MODE: Final = 0o600
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, repr=False)
class HeldKey:
    """One key of one channel, and where it opens a door; never shown in words.

    Attributes
    ----------
    fingerprint
        What deliveries call it.
    key
        The secret itself.
    channel, service
        Who sends with it, and by which protocol.
    url
        Where to.
    others
        Its other secrets by the name of their setting: what signs a webhook.
    is_guarded
        True for a channel that was added at run time, which must not send
        everywhere.
    """

    fingerprint: str
    key: str
    channel: str
    service: str
    url: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    is_guarded: bool = False


class _File(msgspec.Struct):
    version: int
    keys: list[HeldKey]


def ring_path(store: Path) -> Path:
    """Return where the ring of a store is."""
    return store.resolve().with_name(f"{store.name}.keys")


class KeyRing:
    """Every key that may still be needed; see `KeyRing.open`.

    Parameters
    ----------
    path
        The file; None keeps the keys in memory alone.
    """

    def __init__(self, path: Path | None, held: Iterable[HeldKey] = ()) -> None:
        self._path = path
        self._held = tuple(held)

    def __repr__(self) -> str:
        """Return where it is and how many keys it holds, never one of them."""
        return f"KeyRing({str(self._path)!r}, {len(self._held)} keys)"

    @classmethod
    def open(cls, store: Path) -> KeyRing:
        """Return the ring of a store: ``<store>.keys`` beside it, empty when there is none.

        Raises
        ------
        StoreError
            If the file cannot be read or is none of ours. It is not replaced
            then: the keys in it may be the only ones that end what is open.
        """
        path = ring_path(store)
        try:
            body = path.read_bytes()
            if path.stat().st_mode & 0o077:
                path.chmod(_MODE)
        except FileNotFoundError:
            return cls(path)
        except OSError as error:
            message = f"key ring {path} cannot be read: {error.strerror}"
            raise StoreError(message) from error
        try:
            found = msgspec.json.decode(body, type=_File)
        except msgspec.MsgspecError:
            message = f"key ring {path} is damaged: restore it from a backup, or move it away"
            # What the decoder says might quote a key.
            raise StoreError(message) from None
        if found.version > _VERSION:
            message = f"key ring {path} was written by a newer Playwatch: upgrade this one"
            raise StoreError(message)
        return cls(path, found.keys)

    @property
    def held(self) -> tuple[HeldKey, ...]:
        """Every key, the oldest first."""
        return self._held

    def key_of(self, fingerprint: str) -> str | None:
        """Return the key that deliveries call by a fingerprint; None when it is gone."""
        return next((each.key for each in self._held if each.fingerprint == fingerprint), None)

    def held_by(self, channel: str, fingerprint: str) -> HeldKey | None:
        """Return a key of one channel with all that belongs to it; None when it is gone."""
        sought = (channel, fingerprint)
        return next(
            (each for each in self._held if (each.channel, each.fingerprint) == sought), None
        )

    def orphans(self, channels: Collection[str]) -> list[HeldKey]:
        """Return the newest key of each channel that is not among these."""
        newest = {each.channel: each for each in self._held if each.channel not in channels}
        return list(newest.values())

    def hold(self, key: HeldKey) -> None:
        """Hold one more key, before it is used for the first time.

        Raises
        ------
        StoreError
            If the file cannot be written; then nothing has changed.
        """
        sought = (key.channel, key.fingerprint)
        others = [each for each in self._held if (each.channel, each.fingerprint) != sought]
        self._write((*others, key))
        self._held = (*others, key)

    def renew(self, configured: Iterable[HeldKey], in_use: Mapping[str, Collection[str]]) -> None:
        """Hold the keys that are configured, and drop those that nothing refers to.

        Parameters
        ----------
        configured
            The keys of today, of every channel that has one.
        in_use
            By channel, the fingerprints that `Store.keys_in_use` returns.

        Raises
        ------
        StoreError
            If the file cannot be written; then nothing has changed.

        Notes
        -----
        To be called before a key is used for the first time. The file is
        replaced as a whole: after a crash it is the old one or the new one.
        """
        today = {(each.channel, each.fingerprint): each for each in configured}
        kept = {
            (each.channel, each.fingerprint): each
            for each in self._held
            if each.fingerprint in in_use.get(each.channel, ())
            and (each.channel, each.fingerprint) not in today
        }
        held = (*kept.values(), *today.values())
        if held != self._held:
            self._write(held)
            self._held = held

    def _write(self, held: tuple[HeldKey, ...]) -> None:
        if self._path is None:
            return
        body = msgspec.json.format(msgspec.json.encode(_File(_VERSION, list(held))), indent=1)
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, made with its mode
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            message = f"key ring {self._path} cannot be written: {error.strerror}"
            raise StoreError(message) from error


def _sync_folder(folder: Path) -> None:
    """Make a renaming in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
