"""Channels in a configuration: filters, secret URLs, signing secrets."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from playwatch.channels import SERVICES, fingerprint, open_channel
from playwatch.channels.webhook_event import REQUIRED, full_body
from playwatch.config.load import load_config
from playwatch.config.routes import route_of
from playwatch.config.show import effective_yaml
from playwatch.core.routing import Told
from playwatch.core.rules import AlertType, Severity
from playwatch.errors import ConfigError
from tests.fakes import HandClock
from tests.kit.channels import a_delivery, an_incident

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.config.channels import ChannelSettings
    from playwatch.errors import Problem

PAGE = (Path(__file__).parents[2] / "config/channels.md").read_text()
KEY = "R0123456789ABCDEFGHIJKLMNOPQRSTU"
WHSEC = "whsec_" + base64.b64encode(bytes(range(24))).decode()
ANOTHER = "whsec_" + base64.b64encode(bytes(range(64))).decode()
SLACK_URL = "https://hooks.slack.com/services/T0/B0/thesecrettokenofit"

START = "mqtt: {embedded: true}\nchannels:\n  - name: a\n    service: "
PAGERDUTY = START + f"pagerduty\n    integration_key: {KEY}\n"
HOOK = START + "webhook\n"
SLACK = START + "slack\n"
CONSOLE = START + "console\n"


def channel(
    folder: Path, text: str, environ: Mapping[str, str] | None = None, *, need_secrets: bool = True
) -> ChannelSettings:
    path = folder / "playwatch.yaml"
    path.write_text(text)
    (found,) = load_config(path, environ=environ or {}, need_secrets=need_secrets).channels
    return found


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        channel(folder, text, environ)
    return caught.value.problems


MISTAKES = [
    (CONSOLE + "    min_severity: bad", "min_severity", "must be"),
    (CONSOLE + "    rules: []", "rules", "an empty list matches nothing"),
    (CONSOLE + '    rules: ["a", ""]', "rules.1", "is empty"),
    (CONSOLE + "    metrics: playback_failure", "metrics", "is not a known metric"),
    (CONSOLE + "    where: [DE]", "where", "must be a mapping"),
    (CONSOLE + "    where: {country: []}", "where.country", "an empty list"),
    (CONSOLE + "    severity_map: {bad: info}", "severity_map.bad", ""),
    (CONSOLE + "    severity_map: {info: bad}", "severity_map.info", "must be"),
    (CONSOLE + "    send_resolved: no", "send_resolved", "neither true nor false"),
    (HOOK + f"    secret: {WHSEC}", "url", "is missing"),
    (HOOK + "    url: https://example.com/", "secret", "is missing"),
    (HOOK + f"    secret: {WHSEC}\n    url: ftp://example.com", "url", "not a URL of the web"),
    (HOOK + f"    secret: {WHSEC}\n    url: http://example.com", "url", "must start with https"),
    (HOOK + f"    secret: {WHSEC}\n    url: http://127.0.0.1.example.com", "url", "https"),
    (
        HOOK + "    url: https://h\n    secret: hunter2hunter2",
        "secret",
        "does not start with whsec_",
    ),
    (HOOK + "    url: https://h\n    secret: whsec_hunter2_!", "secret", "is not base64"),
    (HOOK + "    url: https://h\n    secret: whsec_aHVudGVyMg==", "secret", "holds 7 bytes"),
    (HOOK + "    url: https://h\n    secret: []", "secret", ""),
    (
        HOOK + f"    url: https://h\n    secret: {WHSEC}\n    headers: {{Host: x}}",
        "headers.Host",
        "set by Playwatch itself",
    ),
    (
        HOOK + f"    url: https://h\n    secret: {WHSEC}\n    headers: {{Webhook-Id: x}}",
        "headers.Webhook-Id",
        "set by Playwatch itself",
    ),
    (
        HOOK + f"    url: https://h\n    secret: {WHSEC}\n    headers: {{'a b': x}}",
        "headers.a b",
        "is not the name of a header",
    ),
    (
        HOOK + f'    url: https://h\n    secret: {WHSEC}\n    headers: {{A: "x\\r\\nB: y"}}',
        "headers.A",
        "one line",
    ),
    (SLACK, "webhook_url", "is missing"),
    (SLACK + "    webhook_url: http://hooks.slack.com/x", "webhook_url", "https"),
    (SLACK + f"    webhook_url: {SLACK_URL}\n    url: x", "url", "is not a known key"),
]


@pytest.mark.parametrize(("text", "path", "words"), MISTAKES)
def test_a_mistake_is_told_where_it_is(tmp_path: Path, text: str, path: str, words: str) -> None:
    found = problems(tmp_path, text)

    assert [problem.path for problem in found] == [f"channels.0.{path}"]
    assert words in found[0].message
    assert "hunter2" not in str(found[0])


def test_a_wrong_metric_gets_a_suggestion(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, CONSOLE + "    metrics: [playback_failures_percentage]")

    assert "playback_failure_percentage" in found.hint


FILTERED = [
    (
        "alert_types: anomaly",
        {"alert_type": AlertType.ANOMALY},
        {"alert_type": AlertType.THRESHOLD},
    ),
    ("min_severity: error", {"severity": Severity.ERROR}, {"severity": Severity.WARNING}),
    ("rules: play*", {"rule": "playback"}, {"rule": "startup"}),
    ('rules: ["*", "!test-*"]', {"rule": "playback"}, {"rule": "test-a"}),
    ("metrics: playback-failure-percentage", {}, {"measurement": "video_startup_time"}),
    ("metrics: playback-*", {}, {"measurement": "video_startup_time"}),
    ("where: {country: [DE, AT]}", {}, {"breakdowns": (("country", "US"),)}),
    ("where: {country: DE}", {}, {"breakdowns": ()}),
    ('where: {country: "!US"}', {"breakdowns": ()}, {"breakdowns": (("country", "US"),)}),
    ("where: {asn: null}", {"breakdowns": (("asn", ""),)}, {"breakdowns": (("asn", "1"),)}),
]


@pytest.mark.parametrize(("written", "taken", "left"), FILTERED)
def test_a_filter_takes_some_and_leaves_others(
    tmp_path: Path, written: str, taken: dict[str, object], left: dict[str, object]
) -> None:
    route = route_of(channel(tmp_path, f"{CONSOLE}    {written}"))

    assert route.takes(an_incident(**taken))
    assert not route.takes(an_incident(**left))


def test_without_filters_everything_is_taken(tmp_path: Path) -> None:
    route = route_of(channel(tmp_path, CONSOLE))

    assert route.takes(an_incident(severity=Severity.INFO, alert_type=AlertType.ANOMALY))
    assert route.sends_resolves


def test_filters_decide_at_the_trigger_only(tmp_path: Path) -> None:
    before = route_of(channel(tmp_path, CONSOLE))
    after = route_of(channel(tmp_path, CONSOLE + "    min_severity: critical\n    rules: other"))
    incident = an_incident(severity=Severity.WARNING)
    told = Told()

    (trigger,) = told.triggers(incident, [before], 1)
    (rise,) = told.triggers(replace(incident, severity=Severity.ERROR), [after], 2)
    (resolve,) = told.resolves(incident, 3)

    assert trigger.channel == rise.channel == resolve.channel == "a"
    assert Told().triggers(incident, [after], 1) == []


def test_a_channel_may_be_told_no_ends(tmp_path: Path) -> None:
    route = route_of(channel(tmp_path, CONSOLE + "    send_resolved: false"))
    told = Told()
    told.triggers(an_incident(), [route], 1)

    assert not route.sends_resolves
    assert told.resolves(an_incident(), 2, unwanted={"a"}) == []


@pytest.mark.parametrize(
    "secret", [f"[{WHSEC}, {ANOTHER}]", f'"{WHSEC} {ANOTHER}"', f'"{WHSEC}\\n  {ANOTHER}\\n"']
)
def test_several_signing_secrets_are_a_list_or_a_text(tmp_path: Path, secret: str) -> None:
    found = channel(tmp_path, HOOK + f"    url: https://example.com\n    secret: {secret}")

    assert found.service == "webhook"
    assert found.secret.get_secret_value() == f"{WHSEC} {ANOTHER}"


def test_secrets_may_stand_in_files(tmp_path: Path) -> None:
    (tmp_path / "signing").write_text(f"{WHSEC}\n{ANOTHER}\n")
    (tmp_path / "slack").write_text(f"{SLACK_URL}\n")

    hook = channel(tmp_path, HOOK + "    url: https://example.com\n    secret_file: signing")
    slack = channel(tmp_path, SLACK + "    webhook_url_file: slack")

    assert hook.service == "webhook"
    assert hook.secret.get_secret_value() == f"{WHSEC} {ANOTHER}"
    assert slack.key == SLACK_URL


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:9/x"])
def test_this_machine_needs_no_encryption(tmp_path: Path, url: str) -> None:
    assert channel(tmp_path, SLACK + f"    webhook_url: {url}").key == url


def test_the_key_of_a_channel_is_what_its_fingerprint_is_of(tmp_path: Path) -> None:
    written = {
        "pagerduty": PAGERDUTY,
        "webhook": HOOK + f"    url: https://example.com/a\n    secret: {WHSEC}",
        "slack": SLACK + f"    webhook_url: {SLACK_URL}",
        "console": CONSOLE,
    }
    assert written.keys() == SERVICES.keys()
    for text in written.values():
        settings = channel(tmp_path, text)

        assert open_channel(settings, clock=HandClock()).key_fingerprint == fingerprint(
            settings.key
        )


def test_what_is_shown_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "playwatch.yaml"
    path.write_text(
        "mqtt: {embedded: true}\nchannels:\n"
        f"  - {{name: a, service: slack, webhook_url: {SLACK_URL}}}\n"
        f"  - name: b\n    service: webhook\n    url: 'https://u:password1@h:8443/p4th/t0ken?q=qu3ry'\n"
        f"    secret: [{WHSEC}, {ANOTHER}]\n    headers: {{Authorization: Bearer t0p}}\n"
    )
    shown = effective_yaml(load_config(path, environ={}))

    for secret in ("thesecret", "password1", "p4th", "t0ken", "q=qu", "t0p", WHSEC, ANOTHER):
        assert secret not in shown
    assert "https://hooks.slack.com/****ofit" in shown
    assert "https://h:8443/****u3ry" in shown


def test_the_page_about_channels_shows_what_works(tmp_path: Path) -> None:
    example = PAGE.split("```yaml playwatch\n")[1].split("```")[0]

    (tmp_path / "playwatch.yaml").write_text("mqtt: {embedded: true}\n" + example)
    (tmp_path / "slack-webhook").write_text(SLACK_URL)
    environ = {
        "PAGERDUTY_KEY": KEY,
        "WEBHOOK_URL": "https://example.com/",
        "WEBHOOK_SECRET": WHSEC,
        "FORMER_WEBHOOK_SECRET": ANOTHER,
    }
    channels = load_config(tmp_path / "playwatch.yaml", environ=environ).channels

    assert {one.service for one in channels} == SERVICES.keys() - {"console"}
    assert all(f"| `{service}` |" in PAGE for service in SERVICES)


def test_the_page_about_channels_shows_a_real_message() -> None:
    shown = json.loads(PAGE.split("```json\n")[1].split("```")[0])
    delivery = a_delivery()

    assert shown == json.loads(full_body(delivery, "https://example.com"))
    assert tuple(shown["data"])[: len(REQUIRED)] == REQUIRED
    assert len(REQUIRED) == 7


def test_variables_that_are_not_set_may_wait(tmp_path: Path) -> None:
    text = HOOK + "    url: ${HOOK_URL}\n    secret: ['${NEW}', '${OLD}']\n"

    found = channel(tmp_path, text, need_secrets=False)

    assert found.key == "${HOOK_URL}"
    assert {problem.path for problem in problems(tmp_path, text)} == {
        "channels.0.url",
        "channels.0.secret.0",
        "channels.0.secret.1",
    }


@pytest.mark.parametrize(
    ("lines", "rolls_up"),
    [("", True), ("    rollup: off", False), ("    send_resolved: false", False)],
)
def test_a_storm_is_rolled_up_unless_that_is_off_or_ends_are_not_told(
    tmp_path: Path, lines: str, *, rolls_up: bool
) -> None:
    assert channel(tmp_path, PAGERDUTY + lines).rolls_up is rolls_up
