"""The commands that change something, beside a running engine and without one."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from playwatch.demo.stand_in import StandIn
from tests.brokers import free_port
from tests.e2e.test_run import CONFIG, KEY, Site
from tests.processes import finished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - it opens nothing


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with StandIn() as pagerduty:
        broker, port = free_port(), free_port()
        config = tmp_path / "playwatch.yaml"
        text = CONFIG.format(broker=broker, events=pagerduty.url)
        web = f'web: {{listen: "127.0.0.1:{port}", token: "${{PLAYWATCH_TOKEN}}"}}'
        config.write_text(text.replace("web: {listen: off}", web))
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        yield Site(config, pagerduty, broker)


async def said_by(site: Site, *arguments: str, code: int = 0) -> str:
    """Run a command on the site; the token is in its environment, as for the engine."""
    command = (*arguments, "-c", str(site.config))
    got, said = await finished(*command, PAGERDUTY_KEY=KEY, PLAYWATCH_TOKEN=TOKEN)
    assert got == code, said
    assert "Traceback" not in said
    assert TOKEN not in said
    return said.strip()


async def only_incident(site: Site) -> str:
    (incident,) = json.loads(await said_by(site, "incident", "list", "--json"))
    identity: str = incident["id"]
    return identity


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYWATCH_TOKEN", TOKEN)


async def test_a_hang_up_reads_the_rules_again_and_a_bad_file_changes_nothing(site: Site) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await site.delivered()
        good = site.config.read_text()

        site.config.write_text(good.replace("> 5", "> five"))
        engine.send(signal.SIGHUP)
        await engine.wait_to_say("nothing is reloaded")
        await engine.wait_to_say("playwatch.yaml:9:41")

        site.config.write_text(good.replace("> 5", "> 6").replace("name: playback", "name: old"))
        engine.send(signal.SIGHUP)
        await engine.wait_to_say("1 rule added; 1 rule removed; 0 incidents kept, 1 closed")
        await site.pagerduty.wait_for(lambda it: it.resolves == 1)
        assert await engine.end() == 0


async def test_a_silence_beside_a_running_engine_keeps_quiet_until_it_is_expired(
    site: Site,
) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        silence = await said_by(
            site, "silence", "add", "country=DE", "--for", "2h", "--comment", "upgrade"
        )
        listed = json.loads(await said_by(site, "silence", "list", "--json"))
        assert [(one["id"], one["matchers"]) for one in listed] == [(silence, {"country": "DE"})]
        await site.publish(9)
        await engine.wait_to_say("opened critical")
        assert site.pagerduty.requests == 0
        shown = await said_by(site, "incident", "show", await only_incident(site))
        assert "withheld" in shown

        await said_by(site, "silence", "expire", silence)
        await site.pagerduty.wait_for(lambda it: it.triggers == 1)
        assert "No silences" in await said_by(site, "silence", "list")
        assert "ended" in await said_by(site, "silence", "list", "--all")
        assert "no silence" in await said_by(site, "silence", "expire", "nonsense", code=1)


async def test_what_people_say_stands_beside_what_was_decided(site: Site) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await site.delivered()
        incident = await only_incident(site)
        await said_by(site, "incident", "ack", incident, "--author", "ann", "--comment", "on it")
        await engine.end()

    await said_by(site, "incident", "note", incident, "the CDN's fault", "--author", "bob")
    assert "no incident" in await said_by(site, "incident", "ack", "nonsense", code=1)
    story = json.loads(await said_by(site, "incident", "show", incident, "--json"))
    assert [(one["kind"], one["author"], one["text"]) for one in story["remarks"]] == [
        ("acknowledged", "ann", "on it"),
        ("note", "bob", "the CDN's fault"),
    ]
    assert story["decisions"][-1]["what"] == "opened"
    assert story["decisions"][-1]["value"] == 9.0
    table = await said_by(site, "incident", "show", incident)
    assert "bob: the CDN's fault" in table


async def test_an_incident_resolved_by_hand_resolves_at_pagerduty(site: Site) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await site.delivered()
        incident = await only_incident(site)
        said = await said_by(site, "incident", "resolve", incident, "--author", "ann")
        assert said == "closed: resolved by hand by ann"
        await site.pagerduty.wait_for(lambda it: it.resolves == 1)
        await site.publish(0.5)
        await engine.end()

    assert not site.pagerduty.open_keys
    assert len(site.pagerduty.pages) == 1


async def test_a_running_engine_changes_nothing_without_its_token(site: Site) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        command = ("silence", "add", "rule=*", "--for", "1h", "-c", str(site.config))
        wrong = site.config.with_name("wrong")
        wrong.write_text("wrong")
        code, said = await finished(*command, "--token-file", str(wrong))
        assert (code, "that is not the token" in said) == (2, True)
        code, said = await finished(*command, "--token-file", str(site.config.parent / "none"))
        assert code == 2
        good = site.config.with_name("token")
        code, said = await finished(*command, "--token-file", str(good))
        assert code == 0, said


@pytest.mark.parametrize(
    "arguments",
    [
        ("country=DE",),
        ("country=DE", "--for", "soon"),
        ("country=DE", "--for", "1h", "--until", "2030-01-01T00:00:00Z"),
        ("country=DE", "--until", "2020-01-01T00:00:00Z"),
        ("country", "--for", "1h"),
        ("--for", "1h"),
    ],
)
async def test_a_silence_that_cannot_be_meant_is_a_usage_error(
    site: Site, arguments: tuple[str, ...]
) -> None:
    await said_by(site, "silence", "add", *arguments, code=2)


async def test_channels_come_and_go_beside_an_engine_and_without_one(site: Site) -> None:
    config = site.config.read_text()
    site.config.write_text(config.replace("web: {", "web: {channel_hosts: [127.0.0.1], "))
    key = "n" * 32
    (site.config.parent / "night.key").write_text(f"{key}\n")
    secret = f"integration_key=@{site.config.parent / 'night.key'}"
    options = (secret, f"url={site.pagerduty.url}", "min_severity=error", "where.country=DE")

    said = await said_by(
        site, "channel", "add", "night", "pagerduty", *options, "min_severity=x", code=2
    )
    assert "min_severity" in said
    said = await said_by(
        site, "channel", "add", "night", "pagerduty", f"integration_key={key}", code=2
    )
    assert "command line" in said.replace("\n", " ")
    assert key not in said

    added = await said_by(site, "channel", "add", "night", "pagerduty", *options)
    assert "****nnnn" in added
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        tried = await said_by(site, "channel", "test", "night")
        assert tried == "trigger: sent: 202 Event processed\nresolve: sent: 202 Event processed"
        await said_by(site, "channel", "disable", "night")
        listed = json.loads(await said_by(site, "channel", "list", "--json"))
        assert [(one["name"], one["state"]) for one in listed][-1] == ("night", "disabled")
        await said_by(site, "channel", "enable", "night")
        again = await said_by(site, "channel", "add", "night", "pagerduty", *options, code=2)
        assert "already" in again
        assert await said_by(site, "channel", "remove", "night") == "removed night"
        await said_by(site, "channel", "remove", "night", code=2)
        provisioned = listed[0]["name"]
        refused = await said_by(site, "channel", "remove", provisioned, code=2)
        assert "change the file and reload" in refused
    await said_by(site, "channel", "add", "late", "console", "--author", "ann")
    routes = json.loads(await said_by(site, "config", "routes", "--json"))
    assert {"oncall", "late"} == {one["channel"] for one in routes if one["is_told"]}
    await said_by(site, "channel", "remove", "late", "--open-incidents", "leave")
    entries = json.loads(await said_by(site, "audit", "--json"))
    table = await said_by(site, "audit", "night")

    assert [(one["what"], one["subject"]) for one in entries] == [
        ("channel removed", "late"),
        ("channel added", "late"),
        ("channel removed", "night"),
        ("channel enabled", "night"),
        ("channel disabled", "night"),
        ("channel added", "night"),
    ]
    assert entries[1]["who"] == "ann"
    assert "enabled false → true" in table
    assert key not in json.dumps(entries) + table


async def test_a_delivery_in_trouble_says_what_was_answered_and_when_it_is_tried_next(
    site: Site,
) -> None:
    site.pagerduty.fail("status", status=429, headers={"Retry-After": "250"}, times=None)
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await engine.wait_to_say("next try in")
        incident = await only_incident(site)
        story = json.loads(await said_by(site, "incident", "show", incident, "--json"))
        table = await said_by(site, "incident", "show", incident)
        assert "next try" in table
        site.pagerduty.faults.clear()
        site.pagerduty.fail("status", status=400, body="no such thing", times=None)
    (delivery,) = story["deliveries"]
    assert delivery["status"] == "pending"
    assert delivery["next_try_at"] > delivery["created_at"]
    assert [one["outcome"] for one in delivery["attempts"]] == ["retry"]
    assert "429" in delivery["attempts"][0]["detail"]

    # Given up by the next engine; queued again and purged beside it.
    async with site.engine() as engine:
        await engine.wait_to_say("given up")
        (dead,) = json.loads(await said_by(site, "delivery", "list", "--json"))
        table = await said_by(site, "delivery", "list")
        assert f"\n {dead['id']} " in table  # in one piece, to be copied
        assert f"{dead['id']}: {dead['reason']}" in table.replace("\n", " ")
        site.pagerduty.faults.clear()
        said = await said_by(site, "delivery", "replay", dead["id"], "--author", "ann")
        assert said == "1 delivery queued again"
        await site.pagerduty.wait_for(lambda it: len(it.open_keys) == 1)
        said = await said_by(site, "delivery", "purge", dead["id"], code=1)
        assert said.startswith("0 deliveries forgotten\nnone of these was given up")
    (entry,) = json.loads(await said_by(site, "audit", "--json"))
    assert (entry["what"], entry["who"][:3]) == ("deliveries replayed", "ann")
    assert entry["after"] == {"deliveries": [dead["id"]]}
