"""The pages in Debian's Chromium: what a person sees, clicks and types."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from playwatch.app import running
from playwatch.config.load import load_config
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.clock import SystemClock
from playwatch.web.nav import NAV
from tests.browsers import chromium, needs_chromium, page_of
from tests.integration.test_engine import TOPIC, sample, send
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from playwatch.app import Engine

pytestmark = [needs_chromium, pytest.mark.timeout(120)]

TOKEN = "a-word-that-only-operators-know"  # noqa: S105 - it opens nothing
CONFIG = """
mqtt: {embedded: true, listen: "127.0.0.1:0"}
store: {path: playwatch.db}
web: {listen: "127.0.0.1:0", token: %s, channel_hosts: [127.0.0.1]}
anomalies:
  - name: learned
    metric: playback_failure_percentage
    where: {country: [BR, DE]}
    by: [[country]]
    interval: 5s
    flap: {within: 1s}
rules:
  - name: failures
    metric: playback_failure_percentage
    where: {country: ["!BR", "!DE"]}
    by: [country]
    window: 5s
    trigger: "> 5"
"""
HOSTILE = "\"'><script>alert(document.domain)</script><img src=x onerror=alert(1)>\u202egpj"
STEP_MS = 5_000
VIEWS = 1_000
KEYS = {"Anomaly": "a" * 32, "Threshold": "b" * 32, "All": "c" * 32}


@asynccontextmanager
async def at_work(folder: Path) -> AsyncIterator[Engine]:
    path = folder / "playwatch.yaml"
    path.write_text(CONFIG % TOKEN)
    async with running(load_config(path, environ={})) as engine:
        await soon(lambda: not engine.health.complaints())
        yield engine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with at_work(tmp_path) as engine:
        yield engine


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def log_in(page: Page) -> None:
    await page.goto("/login?next=incidents")
    await page.locator("input[name=token]").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/incidents")


class Country:
    """What the players of two countries report, five seconds at a time, an hour ago.

    Every time is written, and a long way from the next one: a machine that
    stalls for a minute changes nothing of what the model sees.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begin_at = SystemClock().wall_ms() // STEP_MS * STEP_MS - 600 * STEP_MS
        self._rng = np.random.default_rng(1)

    async def report(self, steps: range, bad: str = "") -> None:
        """Send what was seen in some intervals: about 1 % failures, but 30 % where it is bad."""
        rows = [(step, country) for step in steps for country in ("BR", "DE")]
        rates = [0.3 if country == bad else 0.01 for _, country in rows]
        message = {
            "metric": "playback_failure_percentage",
            "at": [self._begin_at + step * STEP_MS for step, _ in rows],
            "value": [self._rng.binomial(VIEWS, rate) * 100 / VIEWS for rate in rates],
            "views": [VIEWS] * len(rows),
            "dimensions": [{"country": country} for _, country in rows],
        }
        payload = (TOPIC, json.dumps(message).encode())
        await send(self._engine, payload, waits_for=len(rows))


async def add_channel(page: Page, kind: str, key: str, endpoint: str) -> None:
    if not await page.locator("#add[open]").count():
        await page.get_by_text("Add Channel").first.click()
    await page.get_by_label("Service").select_option("PagerDuty")
    await page.get_by_label(re.compile("Integration key")).fill(key)
    await page.get_by_label(kind, exact=True).check()
    await page.get_by_text("Another endpoint").click()
    await page.locator("input[name=endpoint]").fill(endpoint)
    await page.get_by_role("button", name="Add Channel").click()
    await page.get_by_text("The channel was added").wait_for()


async def appeared(page: Page, *words: str) -> str:
    """Return the address of an open incident once the list has it, loading it again and again."""
    row = page.locator("tr.is-open")
    for word in words:
        row = row.filter(has_text=word)
    async with asyncio.timeout(PATIENCE_S):
        while not await row.count():
            await page.goto("/incidents")
    return str(await row.locator("td.what a").first.get_attribute("href")).removeprefix(".")


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_channels_are_added_told_of_the_right_kind_only_and_deleted(
    engine: Engine, browser: Browser, *, has_scripts: bool
) -> None:
    players = Country(engine)
    await players.report(range(240))
    async with (
        StandIn() as server,
        page_of(browser, engine.web_url, has_scripts=has_scripts) as page,
    ):
        await log_in(page)
        await page.get_by_role("link", name="Notification channels").click()
        for kind, key in KEYS.items():
            await add_channel(page, kind, key, server.url)
        assert await page.locator("tbody tr").count() == 3
        assert not any([key in await page.content() for key in KEYS.values()])

        await send(engine, sample(9.0, "SE"))
        await server.wait_for_events(2)
        await players.report(range(280, 283), bad="DE")
        await server.wait_for_events(4)
        told = {(one.key[-4:], "DE" in str(one.summary)) for one in server.pages}
        assert told == {("bbbb", False), ("cccc", False), ("aaaa", True), ("cccc", True)}
        await page.goto(await appeared(page, "anomaly", "DE"))
        await page.get_by_text("Why it is an anomaly").wait_for()
        await players.report(range(320, 360))
        await server.wait_for_events(6)

        await page.goto("/channels")
        while await page.get_by_role("button", name=re.compile("^Delete")).count():
            await page.get_by_role("button", name=re.compile("^Delete")).first.click()
            await page.get_by_text("The channel was deleted").wait_for()
        await server.wait_for_events(8)
        await send(engine, sample(9.0, "FR"))
        await players.report(range(400, 403), bad="BR")
        for words in (("threshold", "FR"), ("anomaly", "BR")):
            await page.goto(await appeared(page, *words))
            await page.get_by_text("no channel takes this incident").wait_for()
        assert (server.requests, server.open_keys) == (8, set())


async def test_an_incident_appears_and_ends_on_the_page_without_loading_it_again(
    engine: Engine, browser: Browser
) -> None:
    async with page_of(browser, engine.web_url) as page:
        await page.goto("/incidents")
        await page.evaluate("window.loadedOnce = true")
        await page.get_by_text("No incidents yet").wait_for()
        await page.locator("#live[data-state=on]").wait_for()
        await send(engine, sample(9.0, "SE"))
        await page.locator("tr.is-open").wait_for()
        await page.locator("header .count").get_by_text("1").wait_for()
        await send(engine, sample(0.0, "SE", views=1_000_000))
        await page.locator(".state.ended").first.wait_for()
        assert await page.evaluate("window.loadedOnce")


async def measured(engine: Engine, page: Page, *values: float) -> None:
    """Send samples, each once the one before has been read for the chart."""
    shown: float | None = None
    for value in values:
        await send(engine, sample(value, "SE"))
        before = shown
        while shown == before:
            answer = await page.request.get("/api/v1/rules/failures/groups")
            groups = await answer.json()
            shown = groups[0]["value"] if groups else None


async def test_the_chart_is_drawn_by_script_under_the_strict_policy(
    engine: Engine, browser: Browser
) -> None:
    async with page_of(browser, engine.web_url) as page:
        await measured(engine, page, 1.0, 2.0, 60.0)
        await page.goto("/incidents")
        await page.locator("td.what a").click()
        await page.locator("[data-chart] .bk-Figure canvas").first.wait_for()
        answer = await page.reload()
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe-eval" not in policy


async def test_the_chart_of_an_anomaly_has_its_band_and_follows_what_comes(
    engine: Engine, browser: Browser
) -> None:
    players = Country(engine)
    await players.report(range(240))
    async with page_of(browser, engine.web_url) as page:
        await players.report(range(280, 283), bad="DE")
        await page.goto(await appeared(page, "anomaly", "DE"))
        await page.locator("[data-chart] .bk-Figure canvas").first.wait_for()
        await page.get_by_text("what was normal (the band) in each interval").wait_for()
        drawn = "Object.fromEntries(['values', 'expected', 'lane'].map((name) => [name,"
        drawn += " Bokeh.documents[0].get_model_by_name(name).data]))"
        before = await page.evaluate(drawn)
        assert before["lane"]["xs"]
        assert max(before["values"]["y"]) == pytest.approx(30, abs=5)
        assert max(before["expected"]["high"]) < 10
        await players.report(range(320, 336), bad="DE")
        newest = max(before["expected"]["x"])
        await page.wait_for_function(
            f"newest => Math.max(...({drawn}).expected.x) > newest", arg=newest
        )
        after = await page.evaluate(drawn)
        assert max(max(stretch) for stretch in after["lane"]["xs"]) > newest


async def test_everything_works_with_scripts_off(engine: Engine, browser: Browser) -> None:
    async with page_of(browser, engine.web_url, has_scripts=False) as page:
        await measured(engine, page, 1.0, 2.0, 60.0)
        await log_in(page)
        await page.locator("td.what a").click()
        await page.locator("svg.plot path.line").wait_for(state="attached")
        await page.get_by_label("Comment").fill("looking into it")
        await page.get_by_role("button", name="Acknowledge").click()
        await page.get_by_text("Acknowledged: it stands").wait_for()
        await page.get_by_text("looking into it").wait_for()
        await page.get_by_role("link", name="Silence").last.click()
        await page.get_by_text("Add a silence").wait_for()
        await page.get_by_label("For how long").fill("2h")
        await page.get_by_role("button", name="Silence", exact=True).click()
        await page.get_by_role("button", name=re.compile("End silence")).click()
        await page.get_by_text("The silence is over").wait_for()


async def test_everything_can_be_reached_by_the_keyboard_alone(
    engine: Engine, browser: Browser
) -> None:
    await send(engine, sample(9.0, "SE"))
    async with page_of(browser, engine.web_url) as page:
        await log_in(page)
        await page.keyboard.press("Tab")
        assert await focused(page) == "Skip to the content"
        await page.keyboard.press("Enter")
        await page.locator("td.what").first.wait_for()
        await tab_to(page, re.compile("^Playback failure percentage 9 %.*affected$"))
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/incidents/*")
        await tab_to(page, re.compile("^Resolve by hand$"))
        await page.keyboard.press("Enter")
        await page.get_by_text("Resolved by hand; everyone").wait_for()


async def test_a_channel_is_added_and_deleted_by_the_keyboard_alone(
    engine: Engine, browser: Browser
) -> None:
    async with page_of(browser, engine.web_url) as page:
        await log_in(page)
        await tab_to(page, re.compile("^Notification channels$"))
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/channels")
        await tab_to(page, re.compile("^PagerDuty"))
        await page.keyboard.type("Slack")
        await tab_to(page, re.compile("^key$"))
        await page.keyboard.type("https://hooks.slack.com/services/T0/B0/secret")
        await tab_to(page, re.compile("^alert_types$"))
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await page.get_by_text("The channel was added").wait_for()
        row = page.locator("tbody tr")
        assert "Threshold" in await row.inner_text()
        await tab_to(page, re.compile("^Delete$"))
        await page.keyboard.press("Enter")
        await page.get_by_text("The channel was deleted").wait_for()
        assert await row.count() == 0


async def focused(page: Page) -> str:
    text = await page.evaluate("document.activeElement.innerText || document.activeElement.name")
    return str(text).strip()


async def tab_to(page: Page, words: re.Pattern[str]) -> None:
    """Press Tab until what has the focus says so."""
    for _ in range(60):
        if words.search(await focused(page)):
            return
        await page.keyboard.press("Tab")
    message = f"no way to {words.pattern!r} by Tab"
    raise AssertionError(message)


@pytest.mark.parametrize("width", [390, 1280])
async def test_no_page_is_wider_than_the_screen_or_runs_what_a_publisher_wrote(
    engine: Engine, browser: Browser, width: int
) -> None:
    await send(engine, sample(9.0, HOSTILE), sample(9.0, "x" * 200))
    async with page_of(browser, engine.web_url, width=width) as page:
        page.on("dialog", lambda _: pytest.fail("a script of a publisher ran"))
        await log_in(page)
        addresses = [f"/{path}" for path, _ in NAV]
        addresses += ["/rules/failures", "/series/playback_failure_percentage"]
        addresses += ["/incidents/" + one for one in await incident_ids(page)]
        for address in addresses:
            await page.goto(address)
            over = await page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, address


async def incident_ids(page: Page) -> list[str]:
    links = await page.locator("td.what a").all()
    return [str(await one.get_attribute("href")).rsplit("/", 1)[-1] for one in links]
