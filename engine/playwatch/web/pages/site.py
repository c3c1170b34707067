"""The site: turns what a page found into HTML, and what went wrong into words."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from playwatch import __version__
from playwatch.errors import ConflictError, PlaywatchError, StoreError
from playwatch.web.callers import Role, caller_of
from playwatch.web.headers import CHART_POLICY
from playwatch.web.nav import NAV
from playwatch.web.pages.charting import SCRIPT_PATH, script
from playwatch.web.pages.drawn import drawn
from playwatch.web.pages.sharing import SharedPages
from playwatch.web.pages.words import FILTERS
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from playwatch.ports import Clock
    from playwatch.runtime.news import News

    Look = Callable[[web.Request], Awaitable["Page | web.StreamResponse"]]
    Act = Callable[[web.Request, dict[str, str]], Awaitable["Page | web.StreamResponse"]]
    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("playwatch.web")

LIVE: Final = "X-Live"
"""The header of a page that brings itself up to date."""

SAID: Final = {
    "acknowledged": "Acknowledged: it stands in the record.",
    "noted": "The note stands in the record.",
    "resolved": "Resolved by hand; everyone who was told hears of it.",
    "silenced": "The silence has begun.",
    "expired": "The silence is over; what it kept back and is still open is told now.",
    "added": "The channel was added; it is told of what opens from here on.",
    "deleted": "The channel was deleted.",
}
"""What a page says after a form went through; addresses name the key, never the words."""


_USUAL_BROKERS: Final = ("mqtt://127.0.0.1:1883", "mqtt://localhost:1883", "mqtt://localhost")


class Weather(Protocol):
    """Tells what stands above every page."""

    def open_count(self) -> int:
        """Return how many incidents are open."""

    def complaints(self) -> list[str]:
        """Return one sentence for each thing that is not as it should be."""

    def broker(self) -> str:
        """Return the address of the broker that samples come from; empty without one."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows: a template and its facts."""

    template: str
    title: str
    facts: Mapping[str, object] = field(default_factory=dict)
    status: int = 200
    has_chart: bool = False


class Site:
    """Serves pages by one frame, with addresses relative to each page.

    Parameters
    ----------
    weather
        What stands above every page.
    news
        Says when a page that is shown live is out of date.
    """

    def __init__(self, weather: Weather, clock: Clock, news: News) -> None:
        self._shared = SharedPages(lambda: news.number, clock)
        self._weather = weather
        self._clock = clock
        self._templates = Environment(
            loader=PackageLoader("playwatch.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= FILTERS
        folder = resources.files("playwatch.web") / "static"
        self._static = {
            name: ((folder / name).read_bytes(), kind)
            for name, kind in (
                ("playwatch.css", "text/css"),
                ("playwatch.js", "text/javascript"),
                ("icon.svg", "image/svg+xml"),
            )
        }

    def add_to(self, app: web.Application) -> None:
        """Add what all pages share."""
        app.router.add_get(SCRIPT_PATH, script)
        app.router.add_get("/static/{name}", self.static)

    def get(self, app: web.Application, path: str, look: Look) -> None:
        """Add a page that is looked at."""
        app.router.add_get(path, self._answering(look))

    def post(self, app: web.Application, path: str, act: Act) -> None:
        """Add what a form does.

        Notes
        -----
        The gate has checked role, origin and the word of the session. A form
        that went through answers 303, so that to load again repeats nothing.
        """

        async def look(request: web.Request) -> Page | web.StreamResponse:
            form = {name: str(value) for name, value in (await request.post()).items()}
            return await act(request, form)

        app.router.add_post(path, self._answering(look))

    async def static(self, request: web.Request) -> web.Response:
        """Answer with a style sheet, a script or the icon."""
        found = self._static.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        body, kind = found
        headers = {"Cache-Control": "no-cache", "ETag": f'"{__version__}-{len(body)}"'}
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)

    def _answering(self, look: Look) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            if LIVE not in request.headers or request.method != "GET":
                return await self._made(request, look)
            key = _key(request)
            body = await self._shared.body(key)
            if body is not None:
                return web.Response(body=body, content_type="text/html", charset="utf-8")
            return await self._shared.make(key, partial(self._made, request, look))

        return answer

    async def _made(self, request: web.Request, look: Look) -> web.StreamResponse:
        try:
            found = await look(request)
        except ProblemError as error:
            found = problem(error.status, error.detail, str(error.facts.get("hint", "")))
        except StoreError as error:
            found = problem(503, str(error))
        except ConflictError as error:
            found = problem(409, error.message, error.hint)
        except PlaywatchError as error:
            found = problem(422, str(error))
        except web.HTTPException:
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            found = problem(500, f"internal error: {type(error).__name__}")
        return await self._rendered(request, found) if isinstance(found, Page) else found

    async def _rendered(self, request: web.Request, page: Page) -> web.Response:
        is_live, caller = LIVE in request.headers, caller_of(request)
        frame = {
            "root": root_of(request),
            "path": request.path_qs.lstrip("/"),
            "here": request.path.split("/")[1],
            "nav": NAV,
            "visitor": caller,
            "csrf": "" if is_live else caller.csrf,
            "may_write": caller.role >= Role.WRITE,
            "said": SAID.get(request.query.get("said", ""), ""),
            "title": page.title,
            "now": self._clock.wall_ms(),
            "version": __version__,
            "open_count": self._weather.open_count(),
            "complaints": self._weather.complaints(),
            "publish": _publish(self._weather.broker()),
        }
        template = self._templates.get_template(page.template)
        text = await drawn(template.render, {**frame, **page.facts})
        headers = {"Content-Security-Policy": CHART_POLICY} if page.has_chart else None
        return web.Response(
            text=text, content_type="text/html", status=page.status, headers=headers
        )


def _publish(broker: str) -> str:
    """Return the begin of the command that publishes a sample to a broker."""
    is_usual = broker in {"", *_USUAL_BROKERS}
    return "playwatch publish" if is_usual else f"playwatch publish --url {broker}"


def problem(status: int, detail: str, hint: str = "") -> Page:
    """Return the page of something that went wrong."""
    titles = {404: "Not found", 403: "Not allowed", 503: "Not available", 500: "Our mistake"}
    title = titles.get(status, "That did not work")
    return Page("problem.html.j2", title, {"detail": detail, "hint": hint}, status)


def gone_through(address: str, said: str) -> web.Response:
    """Return the answer to a form that went through: go there, and say so."""
    return web.Response(status=303, headers={"Location": f"{address}?said={said}"})


def _key(request: web.Request) -> str:
    """Return what those who may be sent the same text have in common.

    What is shared is made for nobody: it holds no word of any session.
    """
    return f"{caller_of(request).role} {request.path_qs}"


def root_of(request: web.Request) -> str:
    """Return the way from a page to the root: ``./``, ``../``, ``../../`` ...

    Notes
    -----
    Addresses are relative, so that a proxy may serve the pages below a prefix
    that the engine knows nothing of.
    """
    return "../" * (request.path.count("/") - 1) or "./"
