"""Why a POST brought no answer: aiohttp's exceptions as a table of faults."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.http import HttpProcessingError

if TYPE_CHECKING:
    from collections.abc import Callable

    _Kinds = type[Exception] | tuple[type[Exception], ...]


class Fault(Enum):
    """Whose fault it is that no answer came."""

    NETWORK = "network"
    """It may work later: refused, unknown name, reset, silence, garbage."""
    TRUST = "trust"
    """The other side cannot be trusted: its certificate, or no TLS at all."""
    PROXY = "proxy"
    """The proxy wants credentials or refuses the destination."""
    ADDRESS = "address"
    """The configured address is not an HTTP URL."""
    FORBIDDEN = "forbidden"
    """A channel added at run time must not send there."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A POST without an answer.

    Attributes
    ----------
    fault
        Whose fault it is.
    reason
        What happened, in words; names the host and nothing else of the URL.
    is_ambiguous
        True when the receiver may have it: the request went out.
    is_stale
        True when a kept connection was gone before any byte came back.
    is_timeout
        True when it was waited for for too long.
    """

    fault: Fault
    reason: str
    is_ambiguous: bool = False
    is_stale: bool = False
    is_timeout: bool = False


_REFUSING_STATUSES: Final = range(400, 500)
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def failure_of(error: Exception, host: str, *, was_reused: bool) -> Failure:
    """Return what an exception means.

    Parameters
    ----------
    error
        Raised by aiohttp before a status line was read.
    host
        Where the request went.
    was_reused
        Whether it used a kept connection.
    """
    before = _before_connection(error, host)
    if before is not None:
        return before
    cut = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)
    if isinstance(error, HttpProcessingError):
        text = f"{host} answered with something that is not HTTP"
    elif isinstance(error, TimeoutError):
        text = f"no answer from {host} in time"
    elif isinstance(error, cut):
        text = f"{host} closed the connection before it answered ({_words(error)})"
    else:
        text = f"the request to {host} failed ({type(error).__name__})"
    return Failure(
        Fault.NETWORK,
        text,
        is_ambiguous=True,
        is_stale=was_reused and isinstance(error, cut),
        is_timeout=isinstance(error, TimeoutError),
    )


def _before_connection(error: Exception, host: str) -> Failure | None:
    """Return the failure when nothing can have been sent, else None."""
    for kind, judge in _BEFORE_CONNECTION:
        if isinstance(error, kind):
            return judge(error, host)
    return None


def _address(_: Exception, host: str) -> Failure:
    return Failure(Fault.ADDRESS, f"the configured url is no HTTP address: {host}")


def _proxy_refusal(error: Exception, host: str) -> Failure:
    status = getattr(error, "status", 0)
    fault = Fault.PROXY if status in _REFUSING_STATUSES else Fault.NETWORK
    return Failure(fault, f"the proxy towards {host} answered {status}")


def _no_proxy(error: Exception, _: str) -> Failure:
    return Failure(Fault.NETWORK, f"no connection to the proxy ({_words(error)})")


def _distrust(error: Exception, host: str) -> Failure:
    cause = getattr(error, "certificate_error", error)
    why = getattr(cause, "verify_message", "") or type(cause).__name__
    return Failure(Fault.TRUST, f"the certificate of {host} is not valid ({why})")


def _handshake(error: Exception, host: str) -> Failure:
    """Return a failed handshake: no TLS at all is not a passing failure."""
    cause = getattr(error, "os_error", error)
    reason = getattr(cause, "reason", None) or type(cause).__name__
    if reason in _NOT_TLS:
        return Failure(Fault.TRUST, f"{host} does not speak TLS ({reason})")
    return Failure(Fault.NETWORK, f"no encrypted connection to {host} ({reason})")


def _unknown_name(_: Exception, host: str) -> Failure:
    return Failure(Fault.NETWORK, f"the name {host} cannot be looked up")


def _unreachable(error: Exception, host: str) -> Failure:
    return Failure(Fault.NETWORK, f"no connection to {host} ({_words(error)})")


def _too_slow(_: Exception, host: str) -> Failure:
    return Failure(Fault.NETWORK, f"no connection to {host} in time", is_timeout=True)


# The first that fits; a special case stands before its general one.
_BEFORE_CONNECTION: Final[tuple[tuple[_Kinds, Callable[[Exception, str], Failure]], ...]] = (
    ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError), _address),
    (aiohttp.ClientHttpProxyError, _proxy_refusal),
    (aiohttp.ClientProxyConnectionError, _no_proxy),
    (aiohttp.ClientConnectorCertificateError, _distrust),
    (aiohttp.ClientConnectorSSLError, _handshake),
    (aiohttp.ClientConnectorDNSError, _unknown_name),
    (aiohttp.ClientConnectorError, _unreachable),
    (aiohttp.ConnectionTimeoutError, _too_slow),
)


def _words(error: Exception) -> str:
    """Return an operating system's error in words, without any address."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else type(error).__name__
