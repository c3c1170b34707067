"""`playwatch channel` from the console."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwatch.channels import fingerprint
from tests.kit.channels import KEY, SIGNING_SECRET
from tests.kit.receivers import HookReceiver, read_slack, reads_webhooks
from tests.processes import finished

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = f"""
mqtt: {{embedded: true}}
channels:
  - {{name: oncall, service: pagerduty, integration_key: "{KEY}", min_severity: error}}
  - {{name: later, service: pagerduty, integration_key: "${{NOT_SET}}", alert_types: anomaly}}
  - {{name: screen, service: console, send_resolved: false}}
"""


async def test_channels_are_listed_with_the_end_of_their_keys(tmp_path: Path) -> None:
    config = tmp_path / "playwatch.yaml"
    config.write_text(CONFIG)

    code, table = await finished("channel", "list", "-c", str(config))
    json_code, document = await finished("channel", "list", "-c", str(config), "--json")
    oncall, later, screen = json.loads(document)

    assert (code, json_code) == (0, 0)
    assert KEY not in table + document
    assert f"****{KEY[-4:]}" in table
    assert fingerprint(KEY) in table
    assert "\noncall: from error\n" in table
    assert "\nscreen: no resolves\n" in table
    assert (oncall["key"], oncall["fingerprint"]) == (f"****{KEY[-4:]}", fingerprint(KEY))
    assert (later["key"], later["fingerprint"]) == ("${NOT_SET}", "")
    assert later["alert_types"] == "anomaly"
    assert (screen["key"], screen["fingerprint"]) == ("", "")


async def test_webhook_and_slack_can_be_tried(tmp_path: Path) -> None:
    config = tmp_path / "playwatch.yaml"
    hooks = HookReceiver(reads_webhooks(SIGNING_SECRET))
    async with hooks, HookReceiver(read_slack) as slack:
        config.write_text(
            "mqtt: {embedded: true}\nchannels:\n"
            f"  - {{name: hook, service: webhook, url: '{hooks.url}', secret: {SIGNING_SECRET}}}\n"
            f"  - {{name: chat, service: slack, webhook_url: '{slack.url}'}}\n"
        )
        for name in ("hook", "chat"):
            code, said = await finished("channel", "test", name, "-c", str(config))

            assert code == 0
            assert said == "trigger: sent: 200 ok\nresolve: sent: 200 ok\n"

        assert (hooks.triggers, hooks.resolves) == (1, 1)
        assert (slack.triggers, slack.resolves) == (1, 1)
        assert hooks.open_keys == slack.open_keys == set()
