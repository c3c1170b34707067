"""The silences: whom they keep quiet, until when, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from playwatch.web.authors import author_of
from playwatch.web.documents import matcher_document, silence_request
from playwatch.web.pages.site import Page, gone_through
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.ports import Clock
    from playwatch.runtime.desk import Desk
    from playwatch.web.pages.site import Site


_EMPTY: Final = {"matchers": "", "for": "", "comment": ""}


class SilencePages:
    """The silences in force and to come, and those that ended."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the page to an application."""
        site.get(app, "/silences", self.all)
        site.post(app, "/silences", self.add)
        site.post(app, "/silences/expire", self.expire)

    async def all(self, request: web.Request) -> Page:
        """Show silences, those that end first at the top; a link may fill the form."""
        rule, pairs = request.query.get("rule"), request.query.getall("d", [])
        lines = [f"rule={rule}"] if rule else []
        written = {**_EMPTY, "matchers": "\n".join([*lines, *pairs])}
        return await self._page(request, written)

    async def add(self, request: web.Request, form: dict[str, str]) -> Page | web.Response:
        """Begin a silence, or say what is wrong with the form."""
        body: dict[str, object] = {
            "for": form.get("for", "").strip(),
            "author": author_of(request, form.get("author")),
            "comment": form.get("comment", ""),
        }
        try:
            body["matchers"] = _matchers(form.get("matchers", ""))
            await self._desk.silence(silence_request(body, self._clock.wall_ms()))
        except ProblemError as error:
            written = {name: form.get(name, "") for name in _EMPTY}
            return replace(await self._page(request, written, error.detail), status=422)
        return gone_through("./silences", "silenced")

    async def expire(self, _request: web.Request, form: dict[str, str]) -> web.Response:
        """End a silence."""
        if await self._desk.expire(form.get("id", "")) is None:
            message = "there is no such silence"
            raise ProblemError(404, message)
        return gone_through("../silences", "expired")

    async def _page(
        self, request: web.Request, written: dict[str, str], complaint: str = ""
    ) -> Page:
        with_ended = "all" in request.query
        now = self._clock.wall_ms()
        found = await self._desk.silences(with_ended=with_ended)
        rows = [
            {
                "silence": one,
                "matchers": sorted(matcher_document(one.matchers).items()),
                "state": "ended"
                if one.ends_at <= now
                else "active"
                if one.starts_at <= now
                else "to come",
            }
            for one in sorted(found, key=lambda one: one.ends_at, reverse=with_ended)
        ]
        facts = {
            "rows": rows,
            "with_ended": with_ended,
            "written": written,
            "complaint": complaint,
        }
        return Page("silences.html.j2", "Silences", facts)


def _matchers(written: str) -> dict[str, object]:
    """Return what a form asks to silence, a line each, as `silence_request` takes it.

    Raises
    ------
    ProblemError
        If a line is not ``name=value``.
    """
    values: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, written.splitlines())):
        name, has_value, value = line.partition("=")
        if not name.strip() or not has_value:
            message = f"'{line}' is not name=value"
            raise ProblemError(422, message)
        values.setdefault(name.strip(), []).append(value.strip())
    return {name: None if texts == [""] else texts for name, texts in values.items()}
