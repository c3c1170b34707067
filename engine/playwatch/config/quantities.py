"""Quantities as people write them: ``1h30m``, ``4MiB``, ``127.0.0.1:8080``."""

from __future__ import annotations

import re
from typing import Final

_MS_OF: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_BYTES_OF: Final = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# Nine digits of each unit: no sum can leave the exact range of a float.
_DURATION: Final = re.compile("".join(f"(?:(?P<{unit}>[0-9]{{1,9}}){unit})?" for unit in _MS_OF))
_SIZE: Final = re.compile(r"([0-9]{1,9}) ?(|B|KiB|MiB|GiB)")
_ADDRESS: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]/@]+)):([0-9]{1,5})")
_GREATEST_PORT: Final = 65_535

DURATION_PATTERN: Final = "^(0|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"
"""The same for a JSON Schema."""


def parse_duration(text: str) -> float:
    """Return a duration in seconds: ``30s``, ``5m``, ``1h30m``, ``1d``, ``250ms``.

    Raises
    ------
    ValueError
        If the text is no duration. Units stand from the greatest to the
        smallest, each once, as in Prometheus; only ``0`` needs none.
    """
    found = _DURATION.fullmatch(text)
    if text != "0" and (not text or found is None):
        message = f"{text!r} is not a duration"
        raise ValueError(message)
    parts = found.groupdict() if found else {}
    return sum(int(number) * _MS_OF[unit] for unit, number in parts.items() if number) / 1000


def format_duration(seconds: float) -> str:
    """Return a duration as people write it, rounded to the millisecond.

    Examples
    --------
    >>> format_duration(5400.25)
    '1h30m250ms'
    >>> format_duration(0)
    '0s'
    """
    rest = round(seconds * 1000)
    parts = []
    for unit, size in _MS_OF.items():
        if unit != "w" and rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """Return a size in bytes: ``4MiB``, ``512 KiB``, ``1000``.

    Raises
    ------
    ValueError
        If the text is no size.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        message = f"{text!r} is not a size"
        raise ValueError(message)
    return int(found[1]) * _BYTES_OF[found[2]]


def format_size(size: int) -> str:
    """Return a size in the greatest unit that divides it: ``4MiB``."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES_OF[unit] == 0:
            return f"{size // _BYTES_OF[unit]}{unit}"
    return f"{size}B"


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of ``host:port``; an IPv6 address stands in ``[]``.

    Raises
    ------
    ValueError
        If there is no host, no port, or the port is above 65535.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > _GREATEST_PORT:
        message = f"{text!r} is not an address"
        raise ValueError(message)
    return found[1] or found[2], int(found[3])
