"""Codecs: payload bytes in, samples out. One file each, no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.codecs import native, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwatch.core.intake import Intake

    Decode = Callable[[bytes, Intake], None]

CODECS: Final[Mapping[str, Decode]] = {
    "native": native.decode,
    "packed": packed.decode,
    "packed_keys": packed.decode_keys,
}
"""By name in the configuration: puts a payload's samples into the intake.

Called after `Intake.message`. No bytes make it raise; what it cannot read it
refuses there, with a reason. ``packed_keys`` reads what a broker retained for
subscriptions of ``packed``.
"""
