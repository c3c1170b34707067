"""What the engine tells of itself: metrics that a linter likes, log lines that a program reads."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from playwatch.cli.logs import JsonLines
from tests.integration.test_engine import sample, send
from tests.integration.test_silencing import opened
from tests.waiting import soon

if TYPE_CHECKING:
    from playwatch.demo.stand_in import StandIn
    from tests.integration.test_reload import Site

EXPECTED = {
    *("samples_received", "samples_rejected", "samples_late", "ingest_lag_seconds"),
    *("queue_length", "messages_dropped", "evaluation_duration_seconds", "rules_state"),
    *("anomaly_score_duration_seconds", "model_age_seconds"),
    *("incidents_open", "incidents_opened", "notifications", "notification_latency_seconds"),
    *("mqtt_connected", "config_last_reload_successful", "build_info"),
}
ABBREVIATED = re.compile(r"_(ms|s|sec|secs|millis|milliseconds|min|mins|kb|mb|pct|percent)(_|$)")


async def test_the_metrics_are_named_as_prometheus_wants_and_all_there(
    site: Site, server: StandIn
) -> None:
    """The rules of `promtool check metrics`."""
    async with site.running() as engine:
        await opened(site, engine)
        await server.wait_for_events(1)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{engine.web_url}/metrics") as answer,
        ):
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            text = await answer.text()
    families = {one.name: one for one in text_string_to_metric_families(text)}
    assert {f"playwatch_{name}" for name in EXPECTED} <= set(families)
    for name, family in families.items():
        assert family.documentation.endswith("."), name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
        assert not ABBREVIATED.search(name), name
        assert family.type not in name.split("_"), name
        assert (f"# TYPE {name}_total counter" in text) == (family.type == "counter"), name
        for one in family.samples:
            assert one.name.endswith("_total") == (family.type == "counter"), name
            assert "le" not in one.labels or family.type == "histogram"
    states = {
        (one.labels["rule"], one.labels["state"]): one.value
        for one in families["playwatch_rules_state"].samples
    }
    assert states["failures", "open"] == 1
    assert states["failures", "normal"] == 0


async def test_the_model_tells_its_age_and_how_long_it_takes(site: Site) -> None:
    def told(name: str, **labels: str) -> float | None:
        return engine.telemetry.registry.get_sample_value(f"playwatch_{name}", labels)

    rule = "anomaly/playback_failure_percentage"
    async with site.running() as engine:
        assert told("model_age_seconds", rule=rule) == 0
        for _ in range(3):
            await send(engine, sample(1.0))
            await site.clock.advance(60)
        await site.clock.advance(60)
        await soon(lambda: told("anomaly_score_duration_seconds_count"))

        assert told("model_age_seconds", rule=rule) == pytest.approx(180, abs=61)
        assert (told("anomaly_score_duration_seconds_sum") or 0.0) > 0


async def test_every_log_line_about_an_incident_names_it(
    site: Site, server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "playwatch")
    async with site.running() as engine:
        await opened(site, engine)
        await server.wait_for_events(1)
    (page,) = server.pages
    incident = page.dedup_key.partition("/")[2]
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    told = [line for line in lines if incident in line["message"]]
    assert len(told) == 2
    for line in told:
        assert line["incident"] == incident
        assert line["level"] == "info"
        assert line["at"].endswith("Z")
    assert told[1]["channel"] == "on-call"


def test_a_line_is_one_line_whatever_is_said(caplog: pytest.LogCaptureFixture) -> None:
    try:
        int("inside\nout")
    except ValueError:
        logging.getLogger("playwatch.x").exception("wrong: %s", "two\nlines \udcff")
    (record,) = caplog.records
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "wrong: two\nlines \udcff"
    assert "ValueError" in json.loads(line)["exception"]
