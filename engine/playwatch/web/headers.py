"""What every answer says to a browser: load nothing foreign, frame nothing, keep nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch import __version__

if TYPE_CHECKING:
    from aiohttp import web

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""For pages: everything from this server, nothing inline."""

CHART_POLICY: Final = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""For pages with charts, whose script sets styles of its own; scripts stay strict."""

NOTHING_POLICY: Final = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""For answers that are no pages."""

_FIXED: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers then send forms with "Origin: null", as strangers do.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def secure(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers to an answer that is about to be sent; its own ones stay.

    Notes
    -----
    A page with charts sets ``Content-Security-Policy`` to `CHART_POLICY`;
    static files set ``Cache-Control``.
    """
    is_page = response.content_type == "text/html"
    headers = response.headers
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else NOTHING_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    for name, value in _FIXED.items():
        headers.setdefault(name, value)
    headers["Server"] = f"Playwatch/{__version__}"
