"""Channels that are added to a running engine, and what becomes of them."""

from __future__ import annotations

import asyncio
import base64
import stat
from typing import TYPE_CHECKING, Any

import pytest

from playwatch.app import running
from playwatch.channels import fingerprint
from playwatch.demo.pages_book import Effect
from playwatch.runtime.clock import SystemClock
from tests.fakes import HandClock
from tests.integration.test_engine import KEY, sample, send
from tests.integration.test_reload import OTHER_KEY, TOKEN, Site, asked
from tests.kit.receivers import HookReceiver, reads_webhooks
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.app import Engine
    from playwatch.demo.stand_in import StandIn

CHANNELS = "/api/v1/channels"
SECRET = "whsec_" + base64.b64encode(b"a signing secret of 32 bytes....").decode()
LET_PASS = f", token: {TOKEN}, channel_hosts: [127.0.0.1]"


@pytest.fixture
def site(tmp_path: Path, server: StandIn) -> Site:
    return Site(tmp_path, server.url, LET_PASS)


def night(server: StandIn, **options: object) -> dict[str, object]:
    """Describe a channel as a caller does."""
    facts = {"name": "night", "service": "pagerduty", "integration_key": f" {OTHER_KEY}\n"}
    return {**facts, "url": server.url, "author": "ann", **options}


async def added(engine: Engine, body: dict[str, object]) -> dict[str, Any]:
    status, channel = await asked(engine, "POST", CHANNELS, body)
    assert status == 201, channel
    return dict(channel)


def effects(server: StandIn, key: str) -> list[Effect]:
    return [one.effect for one in server.journal if one.key.endswith(key[-4:])]


async def audit(engine: Engine, subject: str = "") -> list[dict[str, Any]]:
    query = f"?subject={subject}" if subject else ""
    status, entries = await asked(engine, "GET", f"/api/v1/audit{query}")
    assert status == 200
    return list(entries)


async def test_an_added_channel_pages_at_once_and_over_restarts_and_reloads(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:
        channel = await added(engine, night(server, min_severity="error", rules="fail*"))
        assert (channel["origin"], channel["state"], channel["added_by"]) == (
            "run time",
            "working",
            "ann (operator)",
        )
        assert (channel["key"], channel["fingerprint"]) == ("****ffff", fingerprint(OTHER_KEY))
        await send(engine, sample(9.0))
        await server.wait_for_events(2)
        assert (await asked(engine, "POST", "/-/reload"))[0] == 200
        await send(engine, sample(9.0, "FR"))
        await server.wait_for_events(4)
    async with site.running() as engine:
        await send(engine, sample(9.0, "IT"))
        await server.wait_for_events(6)
        status, listed = await asked(engine, "GET", CHANNELS)

    assert effects(server, KEY) == effects(server, OTHER_KEY) == [Effect.OPENED] * 3
    assert status == 200
    assert [one["name"] for one in listed] == ["on-call", "night"]
    assert listed[1]["min_severity"] == "error"
    assert len(listed[1]["open_incidents"]) == 3


async def test_keys_rest_in_one_file_and_nowhere_else(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        answers = [
            await added(engine, night(server)),
            await asked(engine, "GET", CHANNELS),
            await asked(engine, "GET", f"{CHANNELS}/night"),
            await asked(engine, "GET", "/api/v1/audit"),
        ]
        await send(engine, sample(9.0))
        await server.wait_for_events(2)
    folder = site.path.parent
    holding = [
        one.name
        for one in folder.iterdir()
        if one.is_file() and OTHER_KEY.encode() in one.read_bytes()
    ]

    assert OTHER_KEY not in str(answers)
    assert holding == ["playwatch.db.keys"]
    assert stat.S_IMODE((folder / "playwatch.db.keys").stat().st_mode) == 0o600


async def test_a_removed_channel_is_told_that_it_is_over_and_its_key_goes(
    site: Site, server: StandIn
) -> None:
    keys = site.path.with_name("playwatch.db.keys")
    async with site.running() as engine:
        await added(engine, night(server))
        await send(engine, sample(9.0))
        await server.wait_for_events(2)
        status, removed = await asked(engine, "DELETE", f"{CHANNELS}/night?author=bob")
        await server.wait_for_events(3)

        assert status == 200
        assert (len(removed["resolved"]), removed["left"]) == (1, [])
        assert effects(server, OTHER_KEY) == [Effect.OPENED, Effect.RESOLVED]
        assert effects(server, KEY) == [Effect.OPENED]
        await soon(lambda: server.open_keys == {f"playwatch/{removed['resolved'][0]}"})
        await site.clock.advance(61)
        await soon(lambda: OTHER_KEY not in keys.read_text())

        # The incident goes on for the others; its end concerns the removed one no more.
        await send(engine, sample(1.0, views=500))
        await site.clock.advance(6)
        await send(engine, sample(1.0, views=500))
        await soon(lambda: not server.open_keys)
        assert effects(server, OTHER_KEY) == [Effect.OPENED, Effect.RESOLVED]
        assert [one["what"] for one in await audit(engine, "night")] == [
            "channel removed",
            "channel added",
        ]


async def test_what_is_left_open_ends_where_it_began_over_a_restart(
    site: Site, server: StandIn
) -> None:
    keys = site.path.with_name("playwatch.db.keys")
    async with site.running() as engine:
        await added(engine, night(server))
        await send(engine, sample(9.0))
        await server.wait_for_events(2)
        path = f"{CHANNELS}/night?open_incidents=leave"
        status, removed = await asked(engine, "DELETE", path)
        assert status == 200
        assert (removed["resolved"], len(removed["left"])) == ([], 1)
        assert (await asked(engine, "GET", f"{CHANNELS}/night"))[0] == 404
        await send(engine, sample(9.0, "FR"))
        await server.wait_for_events(3)
    assert OTHER_KEY in keys.read_text()
    incident_id = removed["left"][0]
    async with site.running() as engine:
        body = {"author": "ann"}
        await asked(engine, "POST", f"/api/v1/incidents/{incident_id}/resolve", body)
        await server.wait_for_events(5)
    assert effects(server, OTHER_KEY) == [Effect.OPENED, Effect.RESOLVED]


async def test_a_channel_of_the_same_name_starts_anew(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        for number in (1, 2):
            await added(engine, night(server))
            await send(engine, sample(9.0, f"C{number}"))
            await server.wait_for_events(3 * number - 1)
            await asked(engine, "DELETE", f"{CHANNELS}/night")
            await server.wait_for_events(3 * number)
    sent = [Effect.OPENED, Effect.RESOLVED]
    assert effects(server, OTHER_KEY) == [*sent, *sent]


async def test_a_disabled_channel_hears_nothing_new_until_it_is_enabled(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:
        await added(engine, night(server))
        status, channel = await asked(engine, "PATCH", f"{CHANNELS}/night", {"enabled": False})
        assert (status, channel["state"], channel["enabled"]) == (200, "disabled", False)
        await send(engine, sample(9.0))
        await server.wait_for_events(1)
    async with site.running() as engine:
        assert (await asked(engine, "GET", f"{CHANNELS}/night"))[1]["state"] == "disabled"
        status, answers = await asked(engine, "POST", f"{CHANNELS}/night/test")
        assert (status, [one["outcome"] for one in answers]) == (200, ["sent", "sent"])
        await asked(engine, "PATCH", f"{CHANNELS}/night", {"enabled": True})
        await send(engine, sample(9.0, "FR"))
        await server.wait_for_events(5)
        await asked(
            engine,
            "PATCH",
            f"{CHANNELS}/night",
            {"enabled": False, "open_incidents": "resolve", "author": "bob"},
        )
        await server.wait_for_events(6)
        whats = [(one["what"], one["who"]) for one in await audit(engine, "night")]
    assert effects(server, OTHER_KEY) == [Effect.OPENED, Effect.RESOLVED] * 2
    assert whats == [
        ("channel disabled", "bob (operator)"),
        ("channel enabled", "operator"),
        ("channel disabled", "operator"),
        ("channel added", "ann (operator)"),
    ]


async def test_a_test_shows_what_the_service_answers(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        await added(engine, night(server))
        server.fail("status", status=400, body='{"errors": ["routing_key is wrong"]}', times=None)
        for name in ("night", "on-call"):
            status, answers = await asked(engine, "POST", f"{CHANNELS}/{name}/test")

            assert status == 200
            ((action, outcome),) = [(one["action"], one["outcome"]) for one in answers]
            assert (action, outcome) == ("trigger", "misconfigured")
            assert "routing_key is wrong" in answers[0]["detail"]
        assert (await asked(engine, "POST", f"{CHANNELS}/unknown/test"))[0] == 404


async def test_a_webhook_keeps_its_secrets_over_its_own_removal(site: Site) -> None:
    # The reference library compares the moment of the attempt with the true time.
    site.clock = HandClock(SystemClock().wall_ms())
    async with HookReceiver(reads_webhooks(SECRET)) as hooks:
        async with site.running() as engine:
            hook = {"name": "hook", "service": "webhook", "url": hooks.url, "secret": SECRET}
            channel = await added(engine, {**hook, "headers": {"X-Team": "video"}})
            assert channel["options"]["headers"] == {"X-Team": "****"}
            assert hooks.url not in str(channel)
            await send(engine, sample(9.0))
            await soon(lambda: hooks.triggers == 1)
            await asked(engine, "DELETE", f"{CHANNELS}/hook?open_incidents=leave")
        async with site.running() as engine:
            _, open_ = await asked(engine, "GET", f"{CHANNELS}/on-call")
            path = f"/api/v1/incidents/{open_['open_incidents'][0]}/resolve"
            await asked(engine, "POST", path, {"author": "ann"})
            await soon(lambda: hooks.resolves == 1)
        assert hooks.open_keys == set()


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"integration_key": "u+1234567890abcdefgh"[:20]}, ["#/integration_key"]),
        ({"integration_key": None, "where": {"cdn": 7}, "colour": "red"}, None),
        ({"service": "pigeon"}, ["#/service"]),
        ({"integration_key_file": "/etc/passwd"}, ["#/integration_key_file"]),
        ({"url": "http://127.0.0.2/v2/enqueue"}, ["#/url"]),
        ({"url": "https://events.example.com/v2/enqueue"}, ["#/url"]),
        ({"metrics": ["nonsense"]}, ["#/metrics"]),
        ({"name": "a b"}, ["#/name"]),
    ],
)
async def test_every_mistake_is_answered_at_once_with_its_place(
    site: Site, server: StandIn, changes: dict[str, object], pointers: list[str] | None
) -> None:
    async with site.running() as engine:
        status, answer = await asked(engine, "POST", CHANNELS, night(server, **changes))
        _, listed = await asked(engine, "GET", CHANNELS)

    assert (status, answer["title"]) == (422, "Cannot be processed")
    found = [one["pointer"] for one in answer["errors"]]
    assert found == pointers or {"#/integration_key", "#/where/cdn", "#/colour"} == set(found)
    assert all(one["detail"] for one in answer["errors"])
    assert [one["name"] for one in listed] == ["on-call"]
    if changes.get("integration_key"):
        assert "REST API key" in answer["errors"][0]["hint"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1.nip.invalid.localhost/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://2130706433/x",
        "http://localhost:9/x",
    ],
)
async def test_a_url_may_not_lead_into_this_machine_or_its_cloud(
    tmp_path: Path, server: StandIn, url: str
) -> None:
    site = Site(tmp_path, server.url)
    hook = {"name": "hook", "service": "webhook", "url": url, "secret": SECRET}
    async with site.running() as engine:
        status, answer = await asked(engine, "POST", CHANNELS, hook)

    assert status == 422
    assert [one["pointer"] for one in answer["errors"]] == ["#/url"]
    assert "channel_hosts" in answer["errors"][0]["hint"]


async def test_names_of_the_configuration_are_its_own(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        for method, path, body in (
            ("POST", CHANNELS, night(server, name="on-call")),
            ("DELETE", f"{CHANNELS}/on-call", None),
            ("PATCH", f"{CHANNELS}/on-call", {"enabled": False}),
        ):
            status, answer = await asked(engine, method, path, body)
            assert status == 409
            assert "configuration file" in answer["detail"]
            assert answer["hint"]
        await added(engine, night(server))
        assert (await asked(engine, "POST", CHANNELS, night(server)))[0] == 409

        # Later the configuration takes the name: it wins, and says so.
        site.write(more="  - {name: night, service: console, alert_types: anomaly}\n")
        assert (await asked(engine, "POST", "/-/reload"))[0] == 200
        _, listed = await asked(engine, "GET", CHANNELS)
        assert [(one["name"], one["origin"]) for one in listed] == [
            ("on-call", "configuration"),
            ("night", "configuration"),
        ]
        site.write()
        await asked(engine, "POST", "/-/reload")
        assert (await asked(engine, "GET", f"{CHANNELS}/night"))[1]["origin"] == "run time"


async def test_a_channel_whose_key_is_lost_says_so_and_can_be_removed(
    site: Site, server: StandIn
) -> None:
    async with site.running() as engine:
        await added(engine, night(server))
    site.path.with_name("playwatch.db.keys").unlink()
    async with running(site.load(), clock=site.clock, load=site.load) as engine:
        await soon(lambda: len(engine.health.complaints()) == 1)
        assert "key ring" in engine.health.complaints()[0]
        _, channel = await asked(engine, "GET", f"{CHANNELS}/night")
        assert channel["state"] == "unusable"
        assert "key ring" in channel["complaint"]
        assert (await asked(engine, "POST", f"{CHANNELS}/night/test"))[0] == 409
        assert (await asked(engine, "DELETE", f"{CHANNELS}/night"))[0] == 200
        assert (await asked(engine, "GET", f"{CHANNELS}/night"))[0] == 404
        assert engine.health.complaints() == []


async def test_who_has_no_token_changes_nothing(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        for method, path, body in (
            ("POST", CHANNELS, night(server)),
            ("DELETE", f"{CHANNELS}/on-call", None),
            ("PATCH", f"{CHANNELS}/on-call", {"enabled": False}),
            ("POST", f"{CHANNELS}/on-call/test", None),
            ("POST", "/api/v1/deliveries/purge", {"ids": ["x"]}),
        ):
            assert (await asked(engine, method, path, body, token=None))[0] == 401
        assert await audit(engine) == []
        assert server.requests == 0


async def test_two_who_add_the_same_name_at_once_do_not_both(site: Site, server: StandIn) -> None:
    async with site.running() as engine:
        answers = await asyncio.gather(
            *(asked(engine, "POST", CHANNELS, night(server)) for _ in range(4))
        )
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
