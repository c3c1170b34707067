"""Where channels that were added at run time may not send to.

Whoever may add a channel could else make the engine ask things of this machine
or of its cloud that only they may ask (server-side request forgery). The name
is judged when the channel is saved, and every address that it is looked up to
again when a connection is opened, since a name can change its address at any
moment. What the configuration file names is its author's own decision.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

    _Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = {
    "100.100.100.200": "Alibaba Cloud",
    "168.63.129.16": "Azure",
    "169.254.169.254": "most clouds",
    "192.0.0.192": "Oracle Cloud",
    "fd00:ec2::254": "AWS",
    "fd20:ce::254": "Google Cloud",
}
"""Where clouds tell a machine its own credentials."""
_NAMES: Final = frozenset({"localhost", "metadata", "instance-data"})
_ENDINGS: Final = (".localhost", ".localdomain", "metadata.google.internal")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class AddressGuard:
    """Judges where a channel may send to.

    Parameters
    ----------
    hosts
        Names and addresses that are let pass whatever they are.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._hosts = frozenset(host.strip("[]").lower() for host in hosts)

    def trusts(self, host: str) -> bool:
        """Return whether a host was let pass by name."""
        return host.strip("[]").lower() in self._hosts

    def refusal_of_url(self, url: str) -> str:
        """Return why a URL must not be sent to, as far as its text tells; empty for fine."""
        host = (urlsplit(url).hostname or "").rstrip(".")
        if self.trusts(host):
            return ""
        if host in _NAMES or host.endswith(_ENDINGS):
            return f"{host} is this machine or its cloud"
        try:
            # Takes 127.1, 0x7f000001 and 2130706433 too, as a resolver does.
            return refusal(socket.inet_ntoa(socket.inet_aton(host)))
        except (OSError, UnicodeError):
            return refusal(host)


def refusal(address: str) -> str:
    """Return why nothing may be sent to an IP address; empty for fine, or for a name."""
    try:
        parsed = _plain(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return ""
    if str(parsed) in _METADATA:
        return f"{address} is the metadata service of {_METADATA[str(parsed)]}"
    for what, holds in (
        ("of this machine (loopback)", parsed.is_loopback or parsed.is_unspecified),
        ("of this machine (0.0.0.0/8)", parsed.version == 4 and parsed.packed[0] == 0),  # noqa: PLR2004 - IPv4
        ("link-local", parsed.is_link_local),
        ("for many receivers at once", parsed.is_multicast),
        ("reserved", parsed.is_reserved),
    ):
        if holds:
            return f"{address} is {what}"
    return ""


def _plain(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 one stands for; else the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
