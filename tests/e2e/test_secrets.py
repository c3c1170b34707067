# ruff: noqa: ASYNC240 - a test's loop has nobody else to serve
"""Fault 27 with real processes: every byte that they say, serve and leave is looked through.

Three channels fail in every way that could repeat a key; then every page and
every answer of the API is fetched, every command that shows something is run,
and the engine is killed and started again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import aiohttp
import pytest

from playwatch.demo.stand_in import StandIn
from playwatch.ingest.publish import publish
from tests.brokers import at_port, free_port
from tests.kit.receivers import HookReceiver, read_slack, reads_webhooks
from tests.processes import finished, playwatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY: Final = "0123456789abcdefPagerDutyKey4321"
SECRET: Final = "whsec_" + base64.b64encode(b"a secret that signs webhooks").decode()
SLACK: Final = "/services/T00000000/B00000000/TheTokenInTheSlackUrl000"
TOKEN: Final = "the-token-that-lets-people-change-things"  # noqa: S105 - looked for, never used elsewhere
HIDDEN: Final = {"PAGERDUTY_KEY": KEY, "HOOK_SECRET": SECRET, "WEB_TOKEN": TOKEN}
METRIC: Final = "playback_failure_percentage"

CONFIG = """\
mqtt: {{embedded: true, listen: "127.0.0.1:{broker}"}}
store: {{path: playwatch.db}}
web: {{listen: "127.0.0.1:{web}", token: "${{WEB_TOKEN}}"}}
rules:
  - name: failures
    metric: playback_failure_percentage
    by: [country]
    window: 2s
    trigger: "> 5"
channels:
  - {{name: oncall, service: pagerduty, integration_key: "${{PAGERDUTY_KEY}}", url: "{pagerduty}"}}
  - {{name: hook, service: webhook, url: "{hook}", secret: "${{HOOK_SECRET}}"}}
  - {{name: chat, service: slack, webhook_url: "${{SLACK_URL}}"}}
"""
ECHOES: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("status", {"status": 400, "times": 2, "body": json.dumps({"errors": [f"bad {KEY}"]})}),
    ("status", {"status": 500, "body": f"<html>{KEY}</html>"}),
    ("garbage", {}),
    ("reset", {}),
    ("status", {"status": 401, "body": f"no such routing_key {KEY}", "times": None}),
)
COMMANDS: Final = (
    ("incident", "list"),
    ("incident", "list", "--json"),
    ("delivery", "list"),
    ("delivery", "list", "--json"),
    ("channel", "list"),
    ("channel", "list", "--json"),
    ("channel", "test", "oncall"),
    ("channel", "test", "hook"),
    ("channel", "test", "chat"),
    ("config", "show"),
    ("config", "routes"),
    ("audit",),
    ("silence", "list"),
)


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[Path]:
    """Make a site whose receivers fail, each in every way that could repeat a key."""
    signed, slack = HookReceiver(reads_webhooks(SECRET)), HookReceiver(read_slack)
    async with StandIn() as pagerduty, signed as hook, slack as chat:
        for kind, how in ECHOES:
            pagerduty.fail(kind, **how)
        hook.fail("status", status=400, times=None, body=f"bad signature, not of {SECRET}")
        chat.fail("status", status=404, times=None, body=f"no_team {SLACK}")
        path = tmp_path / "playwatch.yaml"
        ports = {"broker": free_port(), "web": free_port()}
        path.write_text(CONFIG.format(**ports, pagerduty=pagerduty.url, hook=hook.url))
        (tmp_path / "slack").write_text(chat.url + SLACK)
        yield path


def environment(config: Path) -> dict[str, str]:
    return {**HIDDEN, "SLACK_URL": config.with_name("slack").read_text()}


def port_of(config: Path, what: str) -> int:
    found = re.search(what + r': [^\n]*"127\.0\.0\.1:(\d+)"', config.read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.timeout(180)  # some twenty processes, one after the other
async def test_no_key_is_in_anything_that_is_said_served_or_left(config: Path) -> None:
    said: dict[str, str] = {}
    secrets = environment(config)
    for life, ending in enumerate((signal.SIGKILL, signal.SIGTERM)):
        run = ("run", "-c", str(config), "--log-format", ("text", "json")[life])
        async with playwatch(*run, **secrets) as engine:
            await engine.wait_to_say("subscribed")
            await breach(config, f"C{life}")
            await engine.wait_to_say("misconfigured and waits", times=2 + life)
            if life:
                said |= await served(config)
                said |= await shown(config)
            await engine.end(ending)
            said[f"life {life}"] = engine.said
    said |= await mistakes(config)
    said |= await asyncio.to_thread(left, config.parent)

    assert KEY in config.with_name("playwatch.db.keys").read_text()  # and nowhere else:
    assert "<key>" in said["life 1"]  # it was repeated to us, and not by us
    assert len([name for name in said if name.startswith("GET")]) > 15
    for name, secret in {**secrets, "SLACK": SLACK}.items():
        spellings = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
        assert [where for where, text in said.items() if any(one in text for one in spellings)] == (
            []
        ), name


async def shown(config: Path) -> dict[str, str]:
    """Return what every command that shows or tries something says."""
    secrets = environment(config)

    async def run(*command: str) -> str:
        return (await finished(*command, "-c", str(config), **secrets))[1]

    found: dict[str, str] = {}
    for start in range(0, len(COMMANDS), 4):
        batch = COMMANDS[start : start + 4]
        texts = await asyncio.gather(*(run(*command) for command in batch))
        found |= {" ".join(command): text for command, text in zip(batch, texts, strict=True)}
    first = json.loads(found["incident list --json"])[0]
    found["show"] = await run("incident", "show", first["id"])
    found["show --json"] = await run("incident", "show", first["id"], "--json")
    return found


async def breach(config: Path, country: str) -> None:
    """Open an incident; one in which a key stands where a name should."""
    for place in (country, f"{country} & <b>"):
        sample = {"metric": METRIC, "value": 50, "views": 100, "dimensions": {"country": place}}
        broker = at_port(port_of(config, "mqtt"), protocol="3.1.1")
        await publish(broker, [("playwatch/samples/site", json.dumps(sample).encode())])


async def served(config: Path) -> dict[str, str]:
    """Return every page and answer that links and the API's own description lead to."""
    base = f"http://127.0.0.1:{port_of(config, 'web')}"
    found: dict[str, str] = {}
    token = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(base, headers=token) as session:
        left_to_see = ["/", "/metrics", "/-/ready", "/-/healthy", "/api/v1/openapi.json"]
        async with session.get("/api/v1/openapi.json") as response:
            paths = (await response.json())["paths"]
            left_to_see += [path for path, how in paths.items() if "get" in how and "{" not in path]
        while left_to_see:
            path = left_to_see.pop()
            if f"GET {path}" in found or path.startswith(("/events", "/static")):
                continue
            async with session.get(path, allow_redirects=False) as response:
                text = await response.text(errors="replace")
                found[f"GET {path}"] = f"{dict(response.headers)} {text}"
            links = re.findall(r'href="(/[^"#?]*)"', text)
            ids = re.findall(r'"id": ?"([\w-]{8,})"', text)
            left_to_see += links + [f"/api/v1/incidents/{one}" for one in ids[:5]]
            assert len(found) < 200
    return found


async def mistakes(config: Path) -> dict[str, str]:
    """Return what is said of a configuration whose keys stand there, each with a mistake."""
    wrong = config.with_name("wrong.yaml")
    text = config.read_text().replace("${PAGERDUTY_KEY}", KEY + "x")
    wrong.write_text(text.replace("${HOOK_SECRET}", SECRET[:-6]).replace("rules:", "rulez:"))
    _, said = await finished("check", "config", str(wrong), **environment(config))
    wrong.unlink()
    return {"check of a wrong file": said.replace(KEY + "x", KEY)}


def left(folder: Path) -> dict[str, str]:
    """Return every file but the one for keys, the store's log beside it too."""
    ours = {"playwatch.db.keys", "slack"}
    return {
        f"file {path.name}": path.read_bytes().decode("latin-1")
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ours
    }
