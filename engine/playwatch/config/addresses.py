"""Addresses to listen at: which machines can reach them, and how they are written."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from playwatch.config.fields import Scalar, mistake
from playwatch.config.quantities import split_address


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host of this name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(value: object) -> object:
    if not isinstance(value, str) or (isinstance(value, Scalar) and value.missing):
        return value
    try:
        split_address(value)
    except ValueError:
        message = f"'{value}' is not an address"
        raise mistake(message, 'write host and port: "127.0.0.1:8080"') from None
    return str(value)


def _loopback(value: object) -> object:
    """Return an address that only this machine can reach."""
    found = _address(value)
    if isinstance(found, str) and not isinstance(found, Scalar):
        host, _ = split_address(found)
        if not is_loopback(host):
            message = f"'{host}' can be reached from other machines"
            raise mistake(message, "listen on 127.0.0.1; for more, use a broker of its own")
    return found


def _address_or_off(value: object) -> object:
    return None if value == "off" else _address(value)


Loopback = Annotated[str, BeforeValidator(_loopback)]
"""``host:port`` on this machine; port 0 takes a free one."""

AddressOrOff = Annotated[
    str | None,
    BeforeValidator(_address_or_off),
    PlainSerializer(lambda address: address or "off"),
    WithJsonSchema({"type": "string"}),
]
"""``host:port``, or ``off``, which is None here."""
