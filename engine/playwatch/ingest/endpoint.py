"""Where a broker is and how to speak to it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from playwatch.errors import BrokerError

if TYPE_CHECKING:
    from playwatch.config.schema import MqttSettings, TlsSettings

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker's address, our credentials there and the protocol to use.

    Attributes
    ----------
    keepalive_s
        Whole seconds, as the protocol has it. A silent connection is given up
        after twice as long.
    tls
        None for an unencrypted connection.
    """

    scheme: str
    host: str
    port: int
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive_s: int = 30
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsSettings | None = None

    def __str__(self) -> str:
        """Return the address as a URL without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @classmethod
    def of(cls, settings: MqttSettings) -> Endpoint:
        """Read an endpoint from the settings.

        Credentials may stand in the URL; those of the settings go before them.
        Our own broker is spoken to with MQTT 3.1.1, which is all it knows.

        Raises
        ------
        BrokerError
            When the URL is missing or is not one of a broker.
        """
        scheme, host, port, username, password = _parts(_url(settings))
        if settings.username is not None:
            username = settings.username
        if settings.password is not None:
            password = settings.password.get_secret_value()
        return cls(
            scheme=scheme,
            host=host,
            port=port,
            protocol="3.1.1" if settings.embedded else settings.protocol,
            keepalive_s=min(max(round(settings.keepalive_s), 1), 0xFFFF),
            # A password alone is sent with an empty user name: MQTT 3.1.1 has no other way.
            username="" if username is None and password is not None else username,
            password=password,
            tls=settings.tls if scheme == "mqtts" else None,
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return how the connection is encrypted; None when it is not.

        Files are read anew each time, so a renewed certificate is used from
        the next connection on.

        Raises
        ------
        BrokerError
            When a certificate or key cannot be read.
        """
        tls = self.tls
        if tls is None:
            return None
        try:
            context = ssl.create_default_context(cafile=tls.ca_file)
            if tls.cert_file is not None:
                context.load_cert_chain(tls.cert_file, tls.key_file)
        except OSError as error:
            files = [file for file in (tls.ca_file, tls.cert_file, tls.key_file) if file]
            message = f"{' or '.join(files)} cannot be used for TLS: {error.strerror or error}"
            raise BrokerError(message) from error
        return context

    def cause(self, error: OSError) -> str:
        """Say in words why a connection failed."""
        match error:
            case ssl.SSLCertVerificationError():
                return f"the broker's certificate is not trusted: {error.verify_message}"
            case ssl.SSLError():
                return f"TLS failed: {error.reason or error.strerror or error}"
            case socket.gaierror():
                return f"host {self.host} is not found: {error.strerror}"
            case ConnectionRefusedError():
                return "connection refused"
            case ConnectionResetError():
                return "connection reset"
            case _:
                return error.strerror or str(error)


def _url(settings: MqttSettings) -> str:
    """Return the broker's URL, that of our own broker when it is embedded."""
    if settings.url is not None:
        return settings.url
    if settings.embedded:
        return f"mqtt://{settings.listen}"
    message = "no broker is configured: set mqtt.url, or mqtt.embedded for one of our own"
    raise BrokerError(message)


def _parts(url: str) -> tuple[str, str, int, str | None, str | None]:
    """Take a URL to pieces: scheme, host, port, user name, password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_address = (
        parts.scheme in _PORTS and parts.hostname and parts.path in {"", "/"} and not parts.query
    )
    if not is_address or parts.hostname is None:
        # The URL may hold a password, so the message does not repeat it.
        message = "a broker's URL looks like mqtt://host:1883, or mqtts://host:8883 with TLS"
        raise BrokerError(message)
    return (
        parts.scheme,
        parts.hostname,
        _PORTS[parts.scheme] if port is None else port,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )
