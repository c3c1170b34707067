"""The incidents: what is wrong, since when, for whom, and who was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from playwatch.core.decisions import RemarkKind
from playwatch.core.explained import explained
from playwatch.core.incidents import Incident, Status
from playwatch.core.listings import IncidentQuery
from playwatch.core.rules import AlertType, Severity
from playwatch.web.authors import author_of
from playwatch.web.documents import text_of
from playwatch.web.pages.charting import answer
from playwatch.web.pages.drawing import Bar, plot, timeline
from playwatch.web.pages.drawn import drawn
from playwatch.web.pages.site import Page, gone_through
from playwatch.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from playwatch.ports import Clock, IncidentStory, Store
    from playwatch.runtime.desk import Desk
    from playwatch.runtime.readings import Readings
    from playwatch.web.pages.charting import IncidentCharts
    from playwatch.web.pages.site import Site

PAGE_SIZE: Final = 50
_LAST_PAGE: Final = 100_000
_DAY_MS: Final = 86_400_000
_REACHES_MS: Final = (900_000, 3_600_000, 6 * 3_600_000)
_KINDS: Final = {one.value: one for one in AlertType}
_BARS: Final = 200
_LONGEST_SEARCH: Final = 200


class IncidentPages:
    """The list of incidents and the page of each."""

    def __init__(
        self, store: Store, desk: Desk, readings: Readings, charts: IncidentCharts, clock: Clock
    ) -> None:
        self._desk = desk
        self._charts = charts
        self._store = store
        self._readings = readings
        self._clock = clock

    def add_to(self, site: Site, app: web.Application) -> None:
        """Add the pages to an application."""
        site.get(app, "/incidents", self.all)
        site.get(app, "/incidents/{id}", self.one)
        site.get(app, "/incidents/{id}/chart", self.chart)
        site.post(app, "/incidents/{id}/ack", self.acknowledge)
        site.post(app, "/incidents/{id}/note", self.note)
        site.post(app, "/incidents/{id}/resolve", self.resolve)

    async def all(self, request: web.Request) -> Page:
        """Show incidents, the newest first, with a timeline of the last day."""
        asked = request.query
        status = asked.get("status", "all")
        number = _page_number(asked.get("page", "1"))
        query = IncidentQuery(
            status=Status.OPEN if status == "open" else None,
            is_ended=status == "resolved",
            text=asked.get("q", "")[:_LONGEST_SEARCH],
            rule=asked.get("rule") or None,
            alert_type=_KINDS.get(asked.get("kind", "")),
            severities=_severities(asked.get("severity", "")),
            limit=PAGE_SIZE + 1,
            offset=(number - 1) * PAGE_SIZE,
        )
        found = await self._store.incidents(query)
        now = self._clock.wall_ms()
        bars = await self._bars(query.rule, now)
        return Page(
            "incidents.html.j2",
            "Incidents",
            {
                "incidents": found[:PAGE_SIZE],
                "page": number,
                "has_more": len(found) > PAGE_SIZE,
                "asked": {
                    key: asked.get(key, "") for key in ("status", "rule", "kind", "severity", "q")
                },
                "query": urlencode({k: v for k, v in asked.items() if k != "page" and v}),
                "is_filtered": any(asked.get(key) for key in ("rule", "kind", "severity", "q")),
                "severities": [one.word for one in reversed(Severity)],
                "kinds": list(_KINDS),
                "rules": [one.rule.name for one in self._readings.of_rules()],
                "timeline": await drawn(timeline, bars, now - _reach_ms(bars, now), now)
                if bars
                else "",
            },
        )

    async def _bars(self, rule: str | None, now: int) -> list[Bar]:
        """Return the incidents of the last day for the timeline, a bar each."""
        recent = await self._store.incidents(
            IncidentQuery(rule=rule, begin_at=now - _DAY_MS, limit=_BARS)
        )
        return [
            Bar(
                row=one.rule,
                start_at=one.started_at,
                end_at=one.resolved_at or (now if one.is_open else one.ended_at or now),
                severity=one.severity,
                is_open=one.is_open,
                address=f"./incidents/{one.id}",
                label=one.summary,
            )
            for one in recent
        ]

    async def one(self, request: web.Request) -> Page:
        """Show one incident with its record."""
        story = await self._store.incident(request.match_info["id"])
        if story is None:
            raise _unknown()
        incident = story.incident
        chart = await self._charts.chart(incident, self._readings.rule(incident.rule))
        others = await self._others(incident)
        return Page(
            "incident.html.j2",
            incident.rule,
            {
                "incident": incident,
                "told": _told(story),
                "why": explained(incident),
                "story": story,
                "record": _record(story),
                "others": others,
                "same": [one for one in others if one.related_to == incident.id],
                "band": chart.band,
                "plot": plot(chart, incident.unit) if chart.times else "",
            },
            has_chart=True,
        )

    async def chart(self, request: web.Request) -> web.StreamResponse:
        """Answer with the chart around one incident."""
        story = await self._store.incident(request.match_info["id"])
        if story is None:
            raise _unknown()
        rule = self._readings.rule(story.incident.rule)
        return await answer(request, await self._charts.chart(story.incident, rule))

    async def acknowledge(self, request: web.Request, form: dict[str, str]) -> web.Response:
        """Acknowledge an incident."""
        return await self._remark(request, form, RemarkKind.ACKNOWLEDGED)

    async def note(self, request: web.Request, form: dict[str, str]) -> web.Response:
        """Add a note to an incident."""
        return await self._remark(request, form, RemarkKind.NOTE)

    async def resolve(self, request: web.Request, form: dict[str, str]) -> web.Response:
        """Close an incident by hand."""
        author = author_of(request, form.get("author"))
        if await self._desk.resolve(request.match_info["id"], author) is None:
            raise _unknown()
        return gone_through(f"../{quote(request.match_info['id'])}", "resolved")

    async def _remark(
        self, request: web.Request, form: dict[str, str], kind: RemarkKind
    ) -> web.Response:
        body: dict[str, object] = {"comment": form.get("comment", "")}
        said = text_of(body, "comment", is_needed=kind is RemarkKind.NOTE)
        author = author_of(request, form.get("author"))
        if await self._desk.remark(request.match_info["id"], kind, author, said) is None:
            raise _unknown()
        word = "noted" if kind is RemarkKind.NOTE else "acknowledged"
        return gone_through(f"../{quote(request.match_info['id'])}", word)

    async def _others(self, incident: Incident) -> list[Incident]:
        """Return others of its group, and others of its time that have something in common."""
        return await self._store.incidents(IncidentQuery(related_to=incident.id, limit=8))


def _reach_ms(bars: Sequence[Bar], now: int) -> int:
    """Return how far back a timeline goes: a quarter of an hour up to a day, by its oldest bar."""
    reach = max(now - bar.start_at for bar in bars)
    return next((one for one in _REACHES_MS if reach <= one), _DAY_MS)


def _unknown() -> ProblemError:
    message = "there is no such incident"
    return ProblemError(404, message, hint="it may have been removed after its retention")


def _severities(word: str) -> frozenset[Severity] | None:
    found = [one for one in Severity if one.word == word]
    return frozenset(found) if found else None


def _page_number(written: str) -> int:
    """Return the number of a page; the first where it is none."""
    is_number = written.isascii() and written.isdigit()
    return min(max(int(written[:12]), 1), _LAST_PAGE) if is_number else 1


def _told(story: IncidentStory) -> list[tuple[str, str]]:
    """Return who was told, and how the newest message to each stands."""
    newest = {one.channel: f"{one.action.value} {one.status.value}" for one in story.deliveries}
    return sorted(newest.items())


def _record(story: IncidentStory) -> Sequence[tuple[int, str, object]]:
    """Return decisions, attempts and remarks as one story, in the order of time."""
    lines: list[tuple[int, str, object]] = [(one.at, "decision", one) for one in story.decisions]
    lines += [(one.at, "attempt", one) for one in story.attempts]
    lines += [(one.at, "remark", one) for one in story.remarks]
    return sorted(lines, key=lambda line: line[0])
