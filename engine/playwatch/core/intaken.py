"""Intaken: what one read brought."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from playwatch.core.refusals import Reason, Rejection
    from playwatch.core.samples import SampleBatch


@dataclass(frozen=True, slots=True)
class Intaken:
    """What one read brought, and what was left out of it.

    Attributes
    ----------
    batch
        The accepted samples, in the order of their arrival.
    received
        Samples by codec: accepted, refused and repeated ones.
    rejected
        Refused samples, and messages refused as a whole, by reason.
    rejections
        The first 20 of them in detail.
    repeated
        Samples dropped because their source and number were seen before.
    gaps
        Sequence numbers found missing.
    gaps_by_source
        The same, by the source that had numbered its messages.
    heard
        Every topic that brought a message, with the sources named there.
    """

    batch: SampleBatch
    received: Mapping[str, int]
    rejected: Mapping[Reason, int]
    rejections: tuple[Rejection, ...]
    repeated: int
    gaps: int
    heard: Mapping[str, Collection[str]] = field(default_factory=dict)
    gaps_by_source: Mapping[str, int] = field(default_factory=dict)
