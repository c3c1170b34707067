"""Another configuration at noon: rules, channels and silences of a running engine."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from playwatch.app import running
from playwatch.config.load import load_config
from playwatch.demo.pages_book import Effect
from tests.fakes import HandClock
from tests.integration.test_engine import KEY, sample, send, sent_by
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.app import Engine
    from playwatch.config.schema import Settings
    from playwatch.demo.stand_in import StandIn

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - it opens nothing
OTHER_KEY = "f" * 32

HEAD = """
mqtt: {{embedded: true, listen: "127.0.0.1:0"}}
store: {{path: playwatch.db}}
web: {{listen: "127.0.0.1:0"{token}}}
"""
RULES = """
rules:
  - {name: failures, metric: playback_failure_percentage, by: [country], window: 5s, trigger: "> 5"}
"""
CHANNELS = """
channels:
  - {{name: on-call, service: pagerduty, integration_key: {key}, url: "{url}", rate_limit: none}}
"""


class Site:
    """A configuration file that a test writes anew, and the stand-in that it pages."""

    def __init__(self, folder: Path, url: str, token: str = f", token: {TOKEN}") -> None:
        self.path = folder / "playwatch.yaml"
        self.head = HEAD.format(token=token)
        self.url = url
        self.clock = HandClock()
        self.write()

    def write(self, rules: str = RULES, key: str = KEY, more: str = "") -> None:
        self.path.write_text(self.head + rules + CHANNELS.format(key=key, url=self.url) + more)

    def load(self) -> Settings:
        return load_config(self.path, environ={})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        async with running(self.load(), clock=self.clock, load=self.load) as engine:
            await soon(lambda: not engine.health.complaints())
            yield engine


async def asked(
    engine: Engine,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str | None = TOKEN,
    **headers: str,
) -> tuple[int, Any]:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, engine.web_url + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


def gauge(engine: Engine, name: str) -> float | None:
    return engine.telemetry.registry.get_sample_value(name)


async def test_a_changed_bound_keeps_the_incident_and_the_answer_names_it(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:
        await send(engine, sample(9.0))
        await server.wait_for_events(1)
        site.write(RULES.replace("> 5", "> 7"))
        status, answer = await asked(engine, "POST", "/-/reload")

        assert status == 200
        (rule,) = answer["rules"]
        assert (rule["change"], len(rule["incidents_kept"])) == ("edited", 1)
        assert answer["needs_restart"] == []
        await send(engine, sample(6.0, "DE"))
        await send(engine, sample(8.0, "FR"))
        await server.wait_for_events(2)
    assert [page.effect for page in server.journal] == [Effect.OPENED, Effect.OPENED]


async def test_a_rule_that_is_gone_resolves_what_it_opened(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        await send(engine, sample(9.0))
        await server.wait_for_events(1)
        site.write(RULES.replace("failures", "others"))
        _, answer = await asked(engine, "POST", "/-/reload")
        await server.wait_for_events(2)

    changes = {rule["rule"]: rule["change"] for rule in answer["rules"]}
    assert changes == {"failures": "removed", "others": "added"}
    assert [one.effect for one in server.journal] == [Effect.OPENED, Effect.RESOLVED]


async def test_a_bad_file_changes_nothing_and_names_every_mistake(site: Site) -> None:
    async with site.running() as engine:
        site.write(RULES.replace("window: 5s", "window: 5, for: x"), key="short")
        status, answer = await asked(engine, "POST", "/-/reload")

        assert status == 422
        assert len(answer["problems"]) == 3
        assert {one["line"] for one in answer["problems"]} == {7, 10}
        assert "short" not in str(answer)
        assert gauge(engine, "playwatch_config_last_reload_successful") == 0
        await send(engine, sample(9.0))
        await soon(lambda: sent_by(engine) == 1)

        site.path.unlink()
        assert (await asked(engine, "POST", "/-/reload"))[0] == 422
        site.write()
        assert (await asked(engine, "POST", "/-/reload"))[0] == 200
        assert gauge(engine, "playwatch_config_last_reload_successful") == 1


async def test_a_new_key_is_for_new_incidents_and_the_old_ones_end_with_theirs(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:
        await send(engine, sample(9.0))
        await server.wait_for_events(1)
        site.write(key=OTHER_KEY)
        _, answer = await asked(engine, "POST", "/-/reload")
        assert answer["channels"]["changed"] == ["on-call"]
        await send(engine, sample(9.0, "DE"))
        await server.wait_for_events(2)
        await site.clock.advance(6)
        await send(engine, sample(0.0))
        await server.wait_for_events(3)

    keys = [str((one.event or {})["routing_key"])[-4:] for one in server.journal]
    assert keys == [KEY[-4:], OTHER_KEY[-4:], KEY[-4:]]
    assert server.journal[-1].effect is Effect.RESOLVED


async def test_a_channel_that_is_gone_still_hears_of_the_end(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        await send(engine, sample(9.0))
        await server.wait_for_events(1)
        site.path.write_text(site.head + RULES)
        _, answer = await asked(engine, "POST", "/-/reload")
        assert answer["channels"]["removed"] == ["on-call"]
        await send(engine, sample(9.0, "DE"))
        await site.clock.advance(6)
        await send(engine, sample(0.0))
        await server.wait_for_events(2)

    assert [one.effect for one in server.journal] == [Effect.OPENED, Effect.RESOLVED]


async def test_a_channel_added_at_noon_pages(site: Site, server: StandIn) -> None:
    with_channel = site.path.read_text()
    site.path.write_text(site.head + RULES)
    async with site.running() as engine:
        site.path.write_text(with_channel)
        _, answer = await asked(engine, "POST", "/-/reload")
        assert answer["channels"]["added"] == ["on-call"]
        await send(engine, sample(9.0))
        await server.wait_for_events(1)


async def test_what_belongs_to_the_process_waits_for_a_restart(site: Site) -> None:
    async with site.running() as engine:
        site.head = site.head.replace("playwatch.db", "other.db")
        site.write(more="limits: {max_age: 2h}\n")
        _, answer = await asked(engine, "POST", "/-/reload")
        assert answer["needs_restart"] == ["store", "limits"]


async def test_a_metric_of_our_own_can_be_added_but_not_change_its_meaning(
    site: Site, server: StandIn
) -> None:
    metric = 'metrics: [{key: drm_failures, unit: "%", worse: high, merge: MERGE}]\n'
    rule = '\n  - {name: drm, metric: drm_failures, window: 5s, trigger: "> 5"}\n'
    async with site.running() as engine:
        site.write(RULES.rstrip() + rule, more=metric.replace("MERGE", "mean"))
        assert (await asked(engine, "POST", "/-/reload"))[0] == 200
        body = b'{"metric": "drm_failures", "value": 9}'
        await send(engine, ("playwatch/samples/site", body))
        await server.wait_for_events(1)

        site.write(RULES.rstrip() + rule, more=metric.replace("MERGE", "sum"))
        status, answer = await asked(engine, "POST", "/-/reload")
        assert status == 422
        assert answer["problems"][0]["message"] == "means something else than before"
    assert server.journal[0].effect is Effect.OPENED


async def test_reloads_at_once_take_turns(site: Site) -> None:
    async with site.running() as engine:
        answers = await asyncio.gather(*[asked(engine, "POST", "/-/reload") for _ in range(8)])
        assert [status for status, _ in answers] == [200] * 8


async def test_twenty_edits_over_an_open_incident_page_once(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        await send(engine, sample(9.0))
        for number in range(20):
            edit = f'trigger: "> {4 + number % 3}", for: {number % 4}s, resolve_for: {number}s'
            site.write(RULES.replace('trigger: "> 5"', edit))
            assert (await asked(engine, "POST", "/-/reload"))[0] == 200
            await send(engine, sample(9.0))
            await site.clock.advance(1)
    assert [one.effect for one in server.journal] == [Effect.OPENED]


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("", 401), ("wrong", 401), (TOKEN[:-1], 401), (TOKEN, 200)]
)
async def test_a_reload_needs_the_token(site: Site, token: str | None, status: int) -> None:
    async with site.running() as engine:
        got, answer = await asked(engine, "POST", "/-/reload", token=token)

    assert got == status
    assert TOKEN not in str(answer)


async def test_without_a_token_nothing_can_be_changed_over_http(
    tmp_path: Path, server: StandIn
) -> None:
    site = Site(tmp_path, server.url, token="")
    async with site.running() as engine:
        status, answer = await asked(engine, "POST", "/-/reload", token="")
        assert status == 403
        assert "web.token" in answer["hint"]
        assert (await asked(engine, "GET", "/api/v1/silences", token=None)) == (200, [])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:80", 421),
        ("localhost.evil.example", 421),
        ("10.0.0.1", 421),
        ("", 421),
        ("localhost", 200),
        ("LOCALHOST:9", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:1", 200),
        ("alerts.example.com", 200),
    ],
)
async def test_a_foreign_name_is_refused(
    tmp_path: Path, server: StandIn, host: str, status: int
) -> None:
    site = Site(tmp_path, server.url, f", token: {TOKEN}, hosts: [alerts.example.com]")
    async with site.running() as engine:
        got, _ = await asked(engine, "POST", "/-/reload", Host=host)
    assert got == status


async def test_an_engine_without_a_file_says_so(site: Site) -> None:
    async with running(site.load(), clock=site.clock) as engine:
        assert (await asked(engine, "POST", "/-/reload"))[0] == 409
