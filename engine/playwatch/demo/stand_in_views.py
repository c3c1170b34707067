"""The pages of a PagerDuty stand-in for people and scripts."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final

from aiohttp import web

from playwatch.demo.pagerduty_faults import FaultError, faults_in

if TYPE_CHECKING:
    from playwatch.demo.pages_book import Page
    from playwatch.demo.stand_in import StandIn

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem}td,th{padding:.3rem .8rem;text-align:left}"
    "tr.resolved{opacity:.6}"
)
_COLUMNS: Final = ("#", "status", "severity", "summary", "source", "opened", "resolved", "key")
_SHOWN: Final = 500


def views(server: StandIn) -> list[web.RouteDef]:
    """Return the routes beside the one for events."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(
            text=_page(server.pages, server.requests), content_type="text/html", headers=_HEADERS
        )

    async def incidents(_request: web.Request) -> web.Response:
        return _json([asdict(incident) for incident in server.pages])

    async def journal(_request: web.Request) -> web.Response:
        return _json([entry.as_json() for entry in server.journal])

    async def faults(_request: web.Request) -> web.Response:
        return _json([fault.as_json() for fault in server.faults.left])

    async def add_faults(request: web.Request) -> web.Response:
        # A page of another origin cannot send JSON without being asked first.
        if request.content_type != "application/json":
            return _json({"error": "send application/json"}, status=415)
        try:
            server.faults.add(*faults_in(json.loads(await request.read())))
        except (ValueError, RecursionError):
            return _json({"error": "the body is not JSON"}, status=400)
        except FaultError as error:
            return _json({"error": str(error)}, status=400)
        return _json({"faults": len(server.faults.left)}, status=201)

    async def clear_faults(_request: web.Request) -> web.Response:
        server.faults.clear()
        return web.Response(status=204)

    return [
        web.get("/", page),
        web.get("/incidents", incidents),
        web.get("/journal", journal),
        web.get("/faults", faults),
        web.post("/faults", add_faults),
        web.delete("/faults", clear_faults),
    ]


def _json(value: object, status: int = 200) -> web.Response:
    return web.json_response(value, status=status, headers=_HEADERS)


def _page(pages: list[Page], requests: int) -> str:
    newest = pages[: -_SHOWN - 1 : -1]
    opened = sum(page.resolved_at is None for page in pages)
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(map(_row, newest)) or "<tr><td colspan=8>No incident yet.</td></tr>"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>PagerDuty stand-in</title>"
        f"<style>{_STYLE}</style><h1>PagerDuty stand-in</h1>"
        f"<p>{opened} open, {len(pages) - opened} resolved, {requests} requests.</p>"
        f"<table><tr>{head}</tr>{rows}</table></html>"
    )


def _row(page: Page) -> str:
    cells = (
        page.number,
        page.status,
        page.severity,
        page.summary,
        page.source,
        _moment(page.opened_at),
        "" if page.resolved_at is None else _moment(page.resolved_at),
        page.key,
    )
    row = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
    return f'<tr class="{escape(page.status)}">{row}</tr>'


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
