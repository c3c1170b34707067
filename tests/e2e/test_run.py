"""The console script as a process: a stream in, a page out, over every kind of stop."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from playwatch.demo.stand_in import StandIn
from tests.brokers import free_port
from tests.processes import Process, finished, from_nothing, playwatch
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

KEY = "0123456789abcdef0123456789abcdef"

CONFIG = """\
mqtt: {{embedded: true, listen: "127.0.0.1:{broker}"}}
store: {{path: playwatch.db}}
web: {{listen: off}}
rules:
  - name: playback-failures
    metric: playback_failure_percentage
    by: [country]
    window: 2s
    trigger: {{warning: "> 3", critical: "> 5"}}
    resolve: "< 2.5"
channels:
  - name: oncall
    service: pagerduty
    integration_key: ${{PAGERDUTY_KEY}}
    url: {events}
"""


@dataclass
class Site:
    """A configuration, the stand-in it pages, and the port of its broker."""

    config: Path
    pagerduty: StandIn
    broker: int

    @property
    def store(self) -> Path:
        return self.config.with_name("playwatch.db")

    def engine(self) -> AbstractAsyncContextManager[Process]:
        return from_nothing("run", "-c", str(self.config), PAGERDUTY_KEY=KEY)

    async def publish(self, value: float, country: str = "DE", views: int = 100) -> None:
        code, said = await finished(
            "publish",
            "--url",
            f"mqtt://127.0.0.1:{self.broker}",
            "--metric=playback_failure_percentage",
            f"--value={value}",
            f"--views={views}",
            "-d",
            f"country={country}",
        )
        assert (code, said.count("acknowledged")) == (0, 1), said

    async def delivered(self) -> None:
        """Wait until the store knows of the page that went out; the log knows before it."""
        await soon(self._knows)

    def _knows(self) -> bool:
        if not self.store.exists():
            return False
        with closing(sqlite3.connect(f"{self.store.as_uri()}?mode=ro", uri=True)) as store:
            has_table = "SELECT 1 FROM sqlite_master WHERE name = 'deliveries'"
            if store.execute(has_table).fetchone() is None:
                return False
            statuses = store.execute("SELECT DISTINCT status FROM deliveries").fetchall()
        return statuses == [("sent",)]

    async def recover(self, engine: Process, ends: int = 1) -> None:
        """Publish good samples until the incident ends: its window has to move on."""
        while engine.said.count("resolved critical") < ends:
            await self.publish(0.5, views=100_000)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with StandIn() as pagerduty:
        broker = free_port()
        config = tmp_path / "playwatch.yaml"
        config.write_text(CONFIG.format(broker=broker, events=pagerduty.url))
        yield Site(config, pagerduty, broker)


async def test_a_breach_pages_and_a_recovery_resolves(site: Site) -> None:
    command = ("run", "-c", str(site.config))
    async with from_nothing(*command, PAGERDUTY_KEY=KEY) as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await site.pagerduty.wait_for(lambda it: it.triggers == 1)
        await site.recover(engine)
        await site.pagerduty.wait_for(lambda it: it.resolves == 1)
        assert await engine.end() == 0

    assert not site.pagerduty.open_keys
    assert len(site.pagerduty.pages) == 1
    assert KEY not in engine.said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_restart_in_an_open_incident_sends_nothing_and_then_its_resolve(
    site: Site, number: signal.Signals
) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await site.delivered()
        await engine.end(number)

    async with site.engine() as engine:
        await engine.wait_to_say("took over 1 open incident")
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        assert site.pagerduty.requests == 1
        await site.recover(engine)
        await site.pagerduty.wait_for(lambda it: it.resolves == 1)
        await engine.end()

    assert [entry.action for entry in site.pagerduty.journal] == ["trigger", "resolve"]
    assert len({entry.dedup_key for entry in site.pagerduty.journal}) == 1


async def test_a_page_that_could_not_be_sent_before_a_kill_is_sent_after_it(site: Site) -> None:
    site.pagerduty.fail("status", status=503, times=None)
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await engine.wait_to_say("next try")
        await engine.end(signal.SIGKILL)
    site.pagerduty.faults.clear()

    async with site.engine():
        await site.pagerduty.wait_for(lambda it: it.triggers == 1)

    assert len(site.pagerduty.open_keys) == 1


async def test_a_second_engine_names_the_holder_and_exits_2(site: Site) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        code, said = await finished("run", "-c", str(site.config), PAGERDUTY_KEY=KEY)

    assert code == 2
    assert "is in use by process" in said
    assert "Traceback" not in said


async def test_a_port_that_is_taken_is_one_sentence_and_exit_2(site: Site) -> None:
    text = site.config.read_text().replace("listen: off", f'listen: "127.0.0.1:{site.broker}"')
    other = site.config.with_name("other.yaml")
    other.write_text(text.replace("playwatch.db", "other.db"))
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        code, said = await finished("run", "-c", str(other), PAGERDUTY_KEY=KEY)

    assert code == 2
    assert "cannot listen on" in said
    assert "Traceback" not in said


async def test_a_file_that_is_no_database_is_one_sentence_and_exit_2(site: Site) -> None:
    site.store.write_bytes(b"this is not a database, it is a sentence" * 100)

    code, said = await finished("run", "-c", str(site.config), PAGERDUTY_KEY=KEY)

    assert code == 2
    assert said.startswith("playwatch: ") or "\nplaywatch: " in said
    assert "Traceback" not in said


async def test_an_unset_variable_is_named_with_its_place(site: Site) -> None:
    code, said = await finished("run", "-c", str(site.config))

    assert code == 2
    assert "PAGERDUTY_KEY" in said
    assert "playwatch.yaml:14:" in said


async def test_the_store_and_its_companions_are_private(site: Site) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in site.store.parent.glob("playwatch.db*")
        }

    assert set(modes.values()) == {0o600}, modes


async def test_incidents_can_be_listed_and_shown_while_the_engine_runs(site: Site) -> None:
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await site.delivered()
        config = ("-c", str(site.config))
        _, listed = await finished("incident", "list", "--json", *config)
        (incident,) = json.loads(listed)
        _, shown = await finished("incident", "show", incident["id"], "--json", *config)
        _, table = await finished("incident", "show", incident["id"], *config)

    assert incident["status"] == "open"
    assert incident["breakdowns"] == {"country": "DE"}
    (delivery,) = json.loads(shown)["deliveries"]
    assert (delivery["action"], delivery["status"]) == ("trigger", "sent")
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["sent"]
    assert "9 of 100 affected" in table


async def test_a_dry_run_says_what_it_would_send_and_leaves_no_store(site: Site) -> None:
    command = ("run", "--dry-run", "-c", str(site.config))
    async with playwatch(*command, PAGERDUTY_KEY=KEY) as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await engine.wait_to_say("would send trigger to oncall")
        await engine.end()

    assert site.pagerduty.requests == 0
    assert not site.store.exists()


async def test_a_channel_test_sends_a_marked_trigger_and_its_resolve(site: Site) -> None:
    code, said = await finished(
        "channel", "test", "oncall", "-c", str(site.config), PAGERDUTY_KEY=KEY
    )

    assert code == 0
    assert said.splitlines() == [
        "trigger: sent: 202 Event processed",
        "resolve: sent: 202 Event processed",
    ]
    (page,) = site.pagerduty.pages
    assert "Test of Playwatch" in page.summary
    assert not site.pagerduty.open_keys


async def test_a_channel_test_with_a_wrong_key_shows_the_answer(site: Site) -> None:
    site.pagerduty.fail("status", status=401, body="unknown key")

    code, said = await finished(
        "channel", "test", "oncall", "-c", str(site.config), PAGERDUTY_KEY=KEY
    )

    assert code == 1
    assert "misconfigured" in said
    assert KEY not in said


async def test_a_delivery_that_was_given_up_is_listed_and_can_be_queued_again(site: Site) -> None:
    site.pagerduty.fail("status", status=400, body="no such thing", times=None)
    config = ("-c", str(site.config))
    async with site.engine() as engine:
        await engine.wait_to_say("subscribed")
        await site.publish(9)
        await engine.wait_to_say("given up")
        await engine.end()
    site.pagerduty.faults.clear()

    _, listed = await finished("delivery", "list", "--json", *config)
    (dead,) = json.loads(listed)
    assert (dead["status"], dead["action"]) == ("dead", "trigger")
    assert "400" in dead["reason"]
    code, said = await finished("delivery", "replay", dead["id"], *config)
    assert (code, said) == (0, "1 delivery queued again\n")

    async with site.engine():
        await site.pagerduty.wait_for(lambda it: len(it.open_keys) == 1)
