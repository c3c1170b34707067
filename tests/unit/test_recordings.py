"""What a recording gives back, whole, torn or damaged."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playwatch.core.samples import Instant
from playwatch.ingest.recordings import Read, Recording, RecordingError, Start, Tick
from playwatch.ingest.recordings_writer import RecordingWriter
from playwatch.ports import Message

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.ingest.recordings import Entry

BEGAN = Instant(1_800_000_000_000, 7)

_instants = st.builds(Instant, st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62))
_messages = st.builds(
    Message, st.text(max_size=20), st.binary(max_size=200), st.sampled_from(["native", "packed"])
)
_entries = st.lists(
    st.one_of(
        st.builds(Tick, _instants), st.builds(Read, _instants, st.lists(_messages, max_size=4))
    ),
    max_size=8,
)
_numbers = itertools.count()


def write(path: Path, entries: list[Entry], *, append: bool = False) -> None:
    writer = RecordingWriter.open(path, BEGAN, installation="here", append=append)
    for entry in entries:
        if isinstance(entry, Tick):
            writer.tick(entry.now)
        elif isinstance(entry, Read):
            writer.read(entry.messages, entry.now)
    writer.close()


def ticks(count: int, apart_ms: int = 6_000) -> list[Entry]:
    """Return ticks so far apart that each makes a block of its own."""
    return [Tick(Instant(BEGAN.at + n * apart_ms, n * apart_ms)) for n in range(1, count + 1)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=_entries)
def test_what_was_recorded_is_read_again(tmp_path: Path, entries: list[Entry]) -> None:
    path = tmp_path / f"{next(_numbers)}.rec"

    write(path, entries)

    recording = Recording(path)
    assert list(recording.entries()) == [Start(BEGAN, "here"), *entries]
    assert recording.damages == []
    assert recording.position == recording.size


def test_a_torn_end_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "torn.rec"
    write(path, ticks(3))
    path.write_bytes(path.read_bytes()[:-5])

    recording = Recording(path)

    assert list(recording.entries()) == [Start(BEGAN, "here"), *ticks(2)]
    (damage,) = recording.damages
    assert f"{path}: byte " in damage
    assert "torn" in damage


def test_a_recording_cut_anywhere_gives_a_beginning_of_what_was(tmp_path: Path) -> None:
    path = tmp_path / "cut.rec"
    write(path, ticks(4))
    whole, all_of_it = path.read_bytes(), list(Recording(path).entries())

    for length in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:length])
        found = list(Recording(path).entries())
        assert found == all_of_it[: len(found)]


def test_a_damaged_block_is_left_out_and_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "damaged.rec"
    write(path, ticks(3))
    content = bytearray(path.read_bytes())
    second = content.index(b"PWRB", content.index(b"PWRB") + 4)
    content[second + 20] ^= 0xFF
    path.write_bytes(content)

    recording = Recording(path)

    assert list(recording.entries()) == [Start(BEGAN, "here"), *ticks(3)[1:]]
    assert "damaged" in recording.damages[0]


def test_a_session_appended_after_a_torn_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "again.rec"
    write(path, ticks(2))
    path.write_bytes(path.read_bytes()[:-3])

    write(path, ticks(1), append=True)

    start = Start(BEGAN, "here")
    assert list(Recording(path).entries()) == [start, *ticks(1), start, *ticks(1)]


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "once.rec"
    write(path, [])

    with pytest.raises(RecordingError, match="exists"):
        write(path, [])


def test_a_newer_version_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "newer.rec"
    path.write_bytes(b"playwatch-recording 99\n")

    with pytest.raises(RecordingError, match="upgrade"):
        Recording(path)


def test_another_file_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes(b"hello")

    with pytest.raises(RecordingError, match="not a recording"):
        RecordingWriter.open(path, BEGAN, append=True)
    with pytest.raises(RecordingError, match="not a recording"):
        Recording(path)


def test_kinds_of_a_later_version_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "kinds.rec"
    writer = RecordingWriter.open(path, BEGAN)
    writer._add(b"Z", b"something new")
    writer.tick(BEGAN)
    writer.close()

    assert list(Recording(path).entries()) == [Start(BEGAN), Tick(BEGAN)]
