"""Housekeeping: removes what is too old, and keeps the log of the store short."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from playwatch.errors import StoreError
from playwatch.store.retention import Limits, remove_old

if TYPE_CHECKING:
    from playwatch.config.schema import StoreSettings
    from playwatch.ports import Clock
    from playwatch.store.write_ahead_log import WriteAheadLog

EVERY_S: Final = 3600.0
LOOK_S: Final = 1.0

log = logging.getLogger("playwatch.store")


async def keep_house(settings: StoreSettings, clock: Clock) -> None:
    """Remove what is too old, an hour after the start and each hour, until cancelled."""
    while True:
        await clock.sleep(EVERY_S)
        await tidy(settings, clock)


async def tidy(settings: StoreSettings, clock: Clock) -> None:
    """Remove what is too old now; a store that cannot be written is told of and left."""
    now_at, keep = clock.wall_ms(), settings.retention
    before = Limits(
        incidents=now_at - round(keep.incidents * 1000),
        attempts=now_at - round(keep.deliveries * 1000),
        audit=now_at - round(keep.audit * 1000),
    )
    try:
        removed = await asyncio.to_thread(remove_old, settings.path, before, now_at)
    except StoreError as error:
        log.error("nothing is tidied up: %s", error)  # noqa: TRY400 - a sentence
        return
    if removed:
        log.info(
            "removed what is past its retention:"
            " %d incidents, %d attempts, %d silences, %d entries of the audit",
            removed.incidents,
            removed.attempts,
            removed.silences,
            removed.audit,
        )


async def tend(store_log: WriteAheadLog, clock: Clock) -> None:
    """Keep the log of the store short, until cancelled; say once what is in the way."""
    told = ""
    while True:
        await clock.sleep(LOOK_S)
        await store_log.tend()
        trouble = store_log.state.trouble
        if trouble and trouble != told:
            log.error("the log of the store grows, it cannot be emptied: %s", trouble)
        told = trouble
