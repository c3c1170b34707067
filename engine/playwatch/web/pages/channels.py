"""The notification channels: who is told of which alerts, whether it works, and one more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from playwatch.errors import ConflictError, InvalidError
from playwatch.web.authors import author_of
from playwatch.web.pages.site import Page, gone_through
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from playwatch.runtime.channel_desk import ChannelDesk
    from playwatch.web.pages.site import Site

KEY_OF: Final = {"pagerduty": "integration_key", "slack": "webhook_url", "webhook": "url"}
"""The service's key, which the dialog asks for."""

_EMPTY: Final = {"service": "pagerduty", "alert_types": "all", "name": "", "endpoint": ""}


class ChannelPages:
    """The list of channels, and the dialog that adds one."""

    def __init__(self, desk: ChannelDesk) -> None:
        self._desk = desk

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the page and its forms to an application."""
        site.get(app, "/channels", self.all)
        site.post(app, "/channels", self.add)
        site.post(app, "/channels/delete", self.delete)
        site.post(app, "/channels/test", self.test)

    async def all(self, request: web.Request) -> Page:
        """Show every channel."""
        del request
        return await self._page()

    async def add(self, request: web.Request, form: dict[str, str]) -> Page | web.Response:
        """Add a channel, or say everything that is wrong with the form."""
        service = form.get("service", "")
        key = form.get("key", "").strip()
        body: dict[str, object] = {
            "service": service,
            "alert_types": form.get("alert_types", "all"),
            "name": form.get("name", "").strip() or await self._free_name(service),
            KEY_OF.get(service, "integration_key"): key,
        }
        if service == "pagerduty" and (endpoint := form.get("endpoint", "").strip()):
            body["url"] = endpoint
        if service == "webhook":
            body["secret"] = form.get("secret", "").strip()
        try:
            await self._desk.add(body, author_of(request))
        except (InvalidError, ConflictError) as error:
            written = {name: form.get(name, "") for name in _EMPTY}
            complaints = str(error).splitlines()
            return replace(await self._page(written=written, complaints=complaints), status=422)
        return gone_through("./channels", "added")

    async def delete(self, request: web.Request, form: dict[str, str]) -> web.Response:
        """Delete a channel; what is open there is ended there, or left until it ends."""
        name, resolves = form.get("name", ""), form.get("open_incidents") != "leave"
        if await self._desk.remove(name, author_of(request), resolves=resolves) is None:
            raise _unknown()
        return gone_through("../channels", "deleted")

    async def test(self, _request: web.Request, form: dict[str, str]) -> Page:
        """Send a marked incident and its end, and show what the service answered."""
        name = form.get("name", "")
        answers = await self._desk.test(name)
        if answers is None:
            raise _unknown()
        return await self._page(tested=name, answers=answers)

    async def _page(
        self,
        *,
        written: Mapping[str, str] = _EMPTY,
        complaints: list[str] | None = None,
        tested: str = "",
        answers: list[dict[str, Any]] | None = None,
    ) -> Page:
        facts = {
            "rows": [_row(one) for one in await self._desk.channels()],
            "written": written,
            "complaints": complaints or [],
            "tested": tested,
            "answers": answers or [],
        }
        return Page("channels.html.j2", "Notification channels", facts)

    async def _free_name(self, service: str) -> str:
        """Return a name for a channel that was given none: ``pagerduty-2``."""
        taken = {one["name"] for one in await self._desk.channels()}
        numbers = range(1, len(taken) + 2)
        return next(name for number in numbers if (name := f"{service}-{number}") not in taken)


def _unknown() -> ProblemError:
    return ProblemError(404, "there is no such channel")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    state = one["state"] or "working"
    return {**one, "only": _narrowed(one), "state": state, "is_ours": one["origin"] != "run time"}


def _narrowed(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a channel takes less than everything of its alert types."""
    found: list[tuple[str, str]] = []
    if one["min_severity"] not in {None, "info"}:
        found.append(("from", str(one["min_severity"])))
    found += [(name, _listed(one[name])) for name in ("rules", "metrics") if one[name]]
    found += [(name, _listed(value)) for name, value in (one["where"] or {}).items()]
    if one["send_resolved"] is False:
        found.append(("resolves", "not sent"))
    return found


def _listed(value: object) -> str:
    if value is None:
        return "(missing)"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
