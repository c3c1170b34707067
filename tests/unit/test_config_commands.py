"""`playwatch config`: what is in force, what may be written, who would be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from playwatch.cli import app
from playwatch.config.load import load_config
from playwatch.config.routes import refusal, route_of, specimen
from playwatch.config.show import json_schema, schema_text
from playwatch.core.rules import Severity

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "config/playwatch.schema.json"
KEY = "R0123456789ABCDEFGHIJKLMNOPQRSTU"

CONFIG = f"""\
mqtt: {{embedded: true, password: hunter2-hunter2}}
rules:
  - name: failures
    metric: playback_failure_percentage
    where: {{country: "!US"}}
    by: [country]
    trigger: {{warning: "> 3", critical: "> 5"}}
channels:
  - {{name: oncall, service: pagerduty, integration_key: {KEY}, min_severity: error}}
  - {{name: germany, service: console, where: {{country: DE}}, self_alerts: false}}
  - {{name: strange, service: console, alert_types: anomaly}}
anomalies: []
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "playwatch.yaml"
    path.write_text(CONFIG)
    return str(path)


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["config", *arguments])


def told(*arguments: str) -> list[str]:
    listed = json.loads(asked("routes", "--json", *arguments).stdout)
    return [each["channel"] for each in listed if each["is_told"]]


def test_what_is_in_force_is_shown_with_its_defaults_and_without_its_secrets(config: str) -> None:
    as_yaml, as_json = asked("show", "-c", config), asked("show", "-c", config, "--json")

    shown = yaml.safe_load(as_yaml.stdout)
    assert shown == json.loads(as_json.stdout)
    assert shown["mqtt"]["keepalive"] == "30s"
    assert shown["channels"][0]["integration_key"] == f"****{KEY[-4:]}"
    for output in (as_yaml.stdout, as_json.stdout):
        assert KEY not in output
        assert "hunter2" not in output


def test_the_schema_file_is_that_of_the_code() -> None:
    assert SCHEMA.read_text() == schema_text(json_schema()), (
        "the settings have changed: run `playwatch config schema > config/playwatch.schema.json`"
    )


def test_the_schema_is_printed_as_it_stands_in_the_file() -> None:
    assert json.loads(asked("schema").stdout) == json_schema()


def test_rule_files_have_a_schema_of_their_own() -> None:
    schema = json.loads(asked("schema", "--rule-file").stdout)

    assert set(schema["properties"]) == {"rules"}


def test_a_critical_incident_in_germany_goes_to_those_who_asked(config: str) -> None:
    assert told("-c", config, "--rule", "failures", "-d", "country=DE") == ["oncall", "germany"]
    assert told("-c", config, "--rule", "failures", "-d", "country=SE") == ["oncall"]


def test_a_warning_is_not_an_error(config: str) -> None:
    arguments = ("-c", config, "--severity", "warning", "-d", "country=DE")

    assert told(*arguments) == ["germany"]
    said = asked("routes", *arguments).stdout
    assert "min_severity: error" in said
    assert "alert_types: anomaly" in said


def test_what_is_watched_by_itself_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "playwatch.yaml"
    path.write_text(CONFIG.replace("anomalies: []\n", ""))
    listed = json.loads(asked("routes", "--json", "-c", str(path)).stdout)

    unasked = [one for one in listed if one["rule"] == "anomaly/*"]
    assert {one["channel"] for one in unasked if one["is_told"]} == {"oncall", "strange"}


def test_what_the_engine_says_of_itself_has_its_own_routes(config: str) -> None:
    assert told("-c", config, "--alert-type", "engine") == ["oncall"]


def test_nobody_told_is_a_finding(config: str) -> None:
    assert asked("routes", "-c", config, "--severity", "info", "-d", "country=SE").exit_code == 1


def test_a_series_that_no_rule_watches_is_a_finding(config: str) -> None:
    result = asked("routes", "-c", config, "--rule", "failures", "-d", "country=US")

    assert result.exit_code == 1
    assert "rule failures does not watch such a series" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rule", "failure"], "did you mean failures?"),
        (["--rule", "failures", "--alert-type", "anomaly"], "raises no anomaly incidents"),
        (["-d", "country"], "is not NAME=VALUE"),
        (["-d", "=DE"], "is not NAME=VALUE"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    config: str, arguments: list[str], words: str
) -> None:
    result = asked("routes", "-c", config, *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("group", [{}, {"country": "DE"}, {"country": "SE"}])
def test_what_is_told_of_a_route_is_what_the_engine_does(
    config: str, severity: Severity, group: dict[str, str]
) -> None:
    settings = load_config(Path(config), environ={})
    (rule,) = settings.core_rules()
    incident = specimen(rule, severity, group)

    for channel in settings.channels:
        assert route_of(channel).takes(incident) == (not refusal(channel, incident))
