"""Who changed what at a running engine, and on a store at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from playwatch.core.decisions import RemarkKind
from playwatch.core.rules import Matcher
from playwatch.ports import AuditQuery
from playwatch.runtime.desk import SilenceRequest, StoreDesk
from playwatch.store.sqlite import SqliteStore
from tests.integration.test_engine import sample, send
from tests.integration.test_reload import Site, asked

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.demo.stand_in import StandIn

WALL = "a-second-token-of-the-wall"


@pytest.fixture
def site(tmp_path: Path, server: StandIn) -> Site:
    tokens = f", tokens: [{{id: noc-wall, secret: {WALL}, role: write}}]"
    return Site(tmp_path, server.url, tokens)


def facts(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["what"], one["who"]) for one in entries[::-1]]


async def test_every_change_over_http_is_kept_with_the_token_it_came_by(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:

        async def ask(method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
            status, answer = await asked(engine, method, path, body, token=WALL)
            assert status < 300, answer
            return answer

        await send(engine, sample(9.0))
        await server.wait_for_events(1)
        listed = await ask("GET", "/api/v1/channels")
        incident = listed[0]["open_incidents"][0]
        body = {"matchers": {"rule": "*"}, "for": "1h", "author": "ann"}
        silence = await ask("POST", "/api/v1/silences", body)
        await ask("DELETE", f"/api/v1/silences/{silence['id']}")
        await ask("POST", f"/api/v1/incidents/{incident}/ack", {"author": "ann", "comment": "me"})
        await ask("POST", f"/api/v1/incidents/{incident}/note", {"author": "bob", "text": "CDN"})
        await ask("POST", f"/api/v1/incidents/{incident}/resolve", {"author": "bob"})
        await ask("POST", "/-/reload")
        entries = await ask("GET", "/api/v1/audit")
        of_one = await ask("GET", f"/api/v1/audit?subject={incident}&limit=1")
        refused, _ = await asked(engine, "GET", "/api/v1/audit?limit=many", token=WALL)

    assert facts(entries) == [
        ("silence begun", "ann (noc-wall)"),
        ("silence ended", "noc-wall"),
        ("incident acknowledged", "ann (noc-wall)"),
        ("incident noted", "bob (noc-wall)"),
        ("incident resolved", "bob (noc-wall)"),
        ("configuration reloaded", "noc-wall"),
    ]
    assert [one["what"] for one in of_one] == ["incident resolved"]
    assert (of_one[0]["before"], of_one[0]["after"]) == ({"status": "open"}, {"status": "closed"})
    assert entries[0]["after"]["report"] == "0 incidents kept, 0 closed"
    assert refused in {400, 422}


async def test_changes_of_a_store_at_rest_are_kept_too(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        await send(engine, sample(9.0))
        await server.wait_for_events(1)
    store = await SqliteStore.open(site.path.with_name("playwatch.db"))
    try:
        desk = StoreDesk(store, site.clock)
        (incident,) = await store.open_incidents()
        request = SilenceRequest((Matcher("rule", ("*",)),), site.clock.wall_ms() + 9_000, "ann")
        silence = await desk.silence(request)
        await desk.expire(silence.id, "bob")
        await desk.expire(silence.id, "bob")
        await desk.expire("unknown", "bob")
        await desk.remark(incident.id, RemarkKind.NOTE, "ann", "hello")
        await desk.remark("unknown", RemarkKind.NOTE, "ann", "hello")
        await desk.resolve(incident.id, "ann")
        await desk.resolve(incident.id, "ann")
        entries = await store.audit(AuditQuery())
    finally:
        await store.close()

    assert [(one.what, one.who) for one in entries[::-1]] == [
        ("silence begun", "ann"),
        ("silence ended", "bob"),
        ("incident noted", "ann"),
        ("incident resolved", "ann"),
    ]
