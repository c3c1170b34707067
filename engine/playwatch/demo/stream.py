"""Publishes a simulated audience, one message per metric and second."""

from __future__ import annotations

import json
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from playwatch.demo.audience import FAILURES, VIEWERS
from playwatch.ingest.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwatch.config.schema import MqttSettings
    from playwatch.demo.audience import Audience, Sample
    from playwatch.ports import Clock

TOPIC: Final = "playwatch/samples/demo"

HISTORY_S: Final = 1200
HISTORY_STEP_S: Final = 1

_SECOND_MS: Final = 1000


async def stream(
    audience: Audience,
    broker: MqttSettings,
    clock: Clock,
    told: Callable[[int, list[Sample]], None],
) -> None:
    """Publish second after second until cancelled.

    Parameters
    ----------
    told
        Called with the second and its samples once they were published.

    Raises
    ------
    BrokerError
        If the broker refuses us or is lost.

    Notes
    -----
    First comes what was measured in the last minutes, so that the model knows
    what is normal. Samples carry the time at which they were due, so that they lie exactly a
    second apart. Seconds that a busy or sleeping machine missed are left out:
    to catch up would be a burst.
    """
    async with Publisher(broker) as publisher:
        began_at, began_ms = clock.wall_ms(), clock.monotonic_ms()
        await publisher.publish(TOPIC, history(audience, began_at))
        second = 0
        while True:
            samples = audience.sample(second)
            for payload in payloads(samples, began_at + second * _SECOND_MS):
                await publisher.publish(TOPIC, payload)
            told(second, samples)
            elapsed_ms = clock.monotonic_ms() - began_ms
            second = elapsed_ms // _SECOND_MS + 1
            await clock.sleep((second * _SECOND_MS - elapsed_ms) / 1000)


def history(audience: Audience, until: int) -> bytes:
    """Return the failures of the last `HISTORY_S` as one message, oldest first."""
    ats = range(until - HISTORY_S * _SECOND_MS, until, HISTORY_STEP_S * _SECOND_MS)
    rows = [
        (at, sample)
        for at in ats
        for sample in audience.earlier((until - at) // _SECOND_MS)
        if sample.metric == FAILURES
    ]
    message = {
        "metric": FAILURES,
        "at": [at for at, _ in rows],
        "value": [round(sample.value, 3) for _, sample in rows],
        "views": [sample.views for _, sample in rows],
        "dimensions": [{"country": one.country, "cdn": one.cdn} for _, one in rows],
    }
    return json.dumps(message, allow_nan=False).encode()


def payloads(samples: list[Sample], at: int) -> Iterator[bytes]:
    """Return the samples of one moment as messages in columns, one per metric."""
    for metric, group in groupby(samples, key=attrgetter("metric")):
        column = list(group)
        message = {
            "metric": metric,
            "at": at,
            "value": [round(sample.value, 3) for sample in column],
            "dimensions": [{"country": one.country, "cdn": one.cdn} for one in column],
        }
        if metric != VIEWERS:
            message["views"] = [sample.views for sample in column]
        yield json.dumps(message, allow_nan=False).encode()
