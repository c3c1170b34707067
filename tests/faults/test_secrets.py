"""Fault 27: the routing key is told to PagerDuty and to nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from playwatch.core.deliveries import Action
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.keys import configured_keys
from playwatch.store.keyring import KeyRing
from playwatch.telemetry import Telemetry
from tests.delivering import Impatient, delivering, put, turn, until_ended
from tests.faults.truth import routed
from tests.kit.channels import KEY, pagerduty_settings
from tests.kit.stores import an_incident, sqlite_store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.fakes import HandClock

FAULTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("status", {"status": 401, "body": f"no such key {KEY}"}),
    ("status", {"status": 500, "body": f'{{"message": "{KEY}"}}'}),
    ("hang", {}),
    ("garbage", {}),
    ("status", {"status": 400, "times": 2, "body": f'{{"errors": ["bad {KEY}"]}}'}),
)


async def test_the_key_is_nowhere_but_in_its_file(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    telemetry, bad = Telemetry(), an_incident("bad")
    async with StandIn(clock=clock) as server, sqlite_store(tmp_path) as store:
        ring = KeyRing.open(tmp_path / "playwatch.db")
        ring.renew(configured_keys([pagerduty_settings(server.url)]), {})
        for kind, how in FAULTS:
            server.fail(kind, **how)
        channel = Impatient(server, clock)
        async with delivering(store, clock, channel, telemetry=telemetry) as outbox:
            await put(store, outbox, routed(bad))
            await turn(clock, outbox.given_up)
            await put(store, outbox, routed(bad, Action.RESOLVE))
            await until_ended(store, routed(bad, Action.RESOLVE))
            said = f"{outbox.complaints()} {channel!r} {ring!r} {telemetry.exposition()!r}"
        story = await store.incident("bad")

    assert story is not None
    assert len(story.attempts) == 7
    assert KEY not in f"{said} {caplog.text} {story!r}"
    assert await asyncio.to_thread(_files_with_the_key, tmp_path) == {"playwatch.db.keys"}


def _files_with_the_key(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if KEY.encode() in file.read_bytes()}
