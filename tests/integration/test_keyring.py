"""The ring of keys, in real files."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from playwatch.errors import StoreError
from playwatch.store.keyring import HeldKey, KeyRing

if TYPE_CHECKING:
    from pathlib import Path

OLD = HeldKey("f-old", "o" * 32, "on-call", "pagerduty", "https://events.example.com/v2/enqueue")
NEW = HeldKey("f-new", "n" * 32, "on-call", "pagerduty", "https://events.example.com/v2/enqueue")
OTHER = HeldKey("f-other", "x" * 32, "other", "pagerduty")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "playwatch.db"


def test_keys_are_in_one_file_that_only_its_owner_reads(store: Path) -> None:
    before = os.umask(0)
    try:
        KeyRing.open(store).renew([NEW, OTHER], {})
    finally:
        os.umask(before)

    path = store.with_name("playwatch.db.keys")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in store.parent.iterdir()] == [path.name]
    assert KeyRing.open(store).held == (NEW, OTHER)


def test_a_key_is_kept_until_nothing_refers_to_it(store: Path) -> None:
    ring = KeyRing.open(store)
    ring.renew([OLD], {})

    ring.renew([NEW], {"on-call": {"f-old", "f-new"}})
    assert KeyRing.open(store).key_of("f-old") == OLD.key
    assert KeyRing.open(store).key_of("f-new") == NEW.key

    ring.renew([NEW], {"on-call": {"f-new"}, "other": {"f-old"}})
    assert KeyRing.open(store).key_of("f-old") is None
    assert KeyRing.open(store).held == (NEW,)
    assert OLD.key not in store.with_name("playwatch.db.keys").read_text()


def test_a_channel_that_is_gone_leaves_its_newest_key(store: Path) -> None:
    ring = KeyRing.open(store)
    ring.renew([OLD, OTHER], {})
    ring.renew([NEW, OTHER], {"on-call": {"f-old"}})
    ring.renew([OTHER], {"on-call": {"f-old", "f-new"}})

    assert ring.orphans({"other"}) == [NEW]


def test_nothing_is_written_when_nothing_changes(store: Path) -> None:
    ring = KeyRing.open(store)
    ring.renew([NEW], {})
    written = store.with_name("playwatch.db.keys").stat().st_ino

    KeyRing.open(store).renew([NEW], {})

    assert store.with_name("playwatch.db.keys").stat().st_ino == written


def test_a_file_that_others_can_read_is_closed_to_them(store: Path) -> None:
    KeyRing.open(store).renew([NEW], {})
    path = store.with_name("playwatch.db.keys")
    path.chmod(0o644)

    KeyRing.open(store)

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '{"version": 1}',
        f'{{"version": 1, "keys": [{{"key": "{NEW.key}"}}]}}',
        "\x00",
    ],
)
def test_a_damaged_ring_is_told_without_its_keys_and_not_replaced(store: Path, body: str) -> None:
    path = store.with_name("playwatch.db.keys")
    path.write_text(body)

    with pytest.raises(StoreError, match="damaged") as error:
        KeyRing.open(store)

    assert NEW.key not in str(error.value)
    assert path.read_text() == body


def test_a_ring_of_a_newer_version_is_left_alone(store: Path) -> None:
    path = store.with_name("playwatch.db.keys")
    path.write_text(json.dumps({"version": 2, "keys": []}))

    with pytest.raises(StoreError, match="newer"):
        KeyRing.open(store)


def test_a_ring_that_cannot_be_written_changes_nothing(store: Path) -> None:
    ring = KeyRing.open(store)
    ring.renew([OLD], {})
    # A folder in the place of the draft: root may write anywhere else.
    store.with_name("playwatch.db.keys.new").mkdir()

    with pytest.raises(StoreError, match="cannot be written"):
        ring.renew([NEW], {})

    assert ring.held == (OLD,)
    assert KeyRing.open(store).held == (OLD,)


def test_a_draft_that_a_crash_left_is_no_obstacle(store: Path) -> None:
    store.with_name("playwatch.db.keys.new").write_text("half a dr")

    KeyRing.open(store).renew([NEW], {})

    assert KeyRing.open(store).held == (NEW,)


def test_no_words_about_a_ring_hold_a_key(store: Path) -> None:
    ring = KeyRing.open(store)
    ring.renew([NEW], {})

    assert NEW.key not in f"{ring!r} {ring.held!r} {NEW}"
