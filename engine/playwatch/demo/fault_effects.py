"""How each fault of a PagerDuty stand-in looks on the wire."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

from playwatch.demo.pagerduty_faults import FaultKind

if TYPE_CHECKING:
    from playwatch.demo.event_checks import Event
    from playwatch.demo.pagerduty_faults import PlannedFault

_LOGIN_PAGE: Final = "<!doctype html><title>Sign in</title><p>Please sign in to this network."
_GARBAGE: Final = b"\x16\x03\x01 this is not HTTP\r\n\r\n"
_HALF_A_STATUS_LINE: Final = b"HTTP/1.1 202 Acc"
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
_ANSWERED: Final = {FaultKind.HTML: 200, FaultKind.REDIRECT: 302}


def status_of(fault: PlannedFault) -> int:
    """Return the status that a fault answers without ingesting; 0 for none."""
    return fault.status if fault.kind is FaultKind.STATUS else _ANSWERED.get(fault.kind, 0)


async def answer_with(
    fault: PlannedFault, request: web.Request, status: int, told: Event
) -> web.StreamResponse:
    """Return or write the answer as the fault wants it.

    Parameters
    ----------
    fault
        What goes wrong.
    request
        Whose connection it goes wrong on.
    status, told
        What a healthy server would have answered.
    """
    match fault.kind:
        case FaultKind.STATUS:
            text = fault.body or json.dumps({"status": "error", "message": f"scripted {status}"})
            headers = {"Content-Type": "application/json", **fault.headers}
            return web.Response(status=status, text=text, headers=headers)
        case FaultKind.HTML:
            return web.Response(status=status, text=_LOGIN_PAGE, content_type="text/html")
        case FaultKind.REDIRECT:
            return web.Response(status=status, headers={"Location": fault.location or "/"})
        case FaultKind.STALE:
            return web.json_response(told, status=status)
        case FaultKind.CLOSE:
            return await _answer_and_close(request, status, told)
    return await _break(fault.kind, request, status, told)


async def _answer_and_close(request: web.Request, status: int, told: Event) -> web.StreamResponse:
    response = web.json_response(told, status=status)
    await response.prepare(request)
    await response.write_eof()
    if request.transport is not None:
        request.transport.close()
    return response


async def _break(
    kind: FaultKind, request: web.Request, status: int, told: Event
) -> web.StreamResponse:
    """Do what no HTTP library would: write and cut the connection by hand."""
    transport = request.transport
    if transport is None:
        return web.Response()
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 {status} Accepted\r\nContent-Type: application/json\r\n"
    whole = f"{head}Content-Length: {len(body) + 10}\r\n\r\n".encode()
    match kind:
        case FaultKind.HANG | FaultKind.ACCEPT_THEN_HANG:
            await _hang()
        case FaultKind.SLOW_HEADERS:
            transport.write(_HALF_A_STATUS_LINE)
            await _hang()
        case FaultKind.SLOW_BODY:
            transport.write(whole + body[:1])
            await _hang()
        case FaultKind.GARBAGE:
            transport.write(_GARBAGE)
            transport.close()
        case FaultKind.SHORT_BODY:
            transport.write(whole + body)
            transport.close()
        case FaultKind.RESET_IN_BODY:
            transport.write(whole + body[: len(body) // 2])
            _reset(transport)
        case _:
            _reset(transport)
    return web.Response()


async def _hang() -> None:
    """Wait until the client gives up or the stand-in closes; both cancel this."""
    await asyncio.get_running_loop().create_future()


def _reset(transport: asyncio.Transport) -> None:
    """Cut a connection so that the other side sees a reset, not an end."""
    plug = transport.get_extra_info("socket")
    if plug is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
