"""A channel that a caller sends, kept with its secrets masked, and read back whole."""

from __future__ import annotations

import base64
from typing import Any, Final

import pytest

from playwatch.channels import SERVICES
from playwatch.config.channel_body import channel_settings, masked_settings, restored_settings
from playwatch.config.former import former_settings, other_secrets
from playwatch.core.metrics import Catalogue
from playwatch.errors import InvalidError

KNOWN: Final = Catalogue()
SECRETS: Final = {
    "key": "0123456789abcdefSECRETkey9876543",
    "signing": "whsec_" + base64.b64encode(b"a signing SECRET of 32 bytes....").decode(),
    "path": "/services/T0/B0/SECRETtokenOfTheHook",
    "header": "Bearer SECRETbearer",
}
FILTERS: Final[dict[str, Any]] = {
    "alert_types": "threshold",
    "min_severity": "error",
    "rules": ["live-*", "!live-test"],
    "metrics": "playback-failure-percentage",
    "where": {"cdn": None, "country": ["DE", "!F*"]},
    "self_alerts": True,
    "severity_map": {"critical": "error"},
    "send_resolved": False,
    "rate_limit": "none",
}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "console": {},
    "pagerduty": {"integration_key": SECRETS["key"], "region": "eu"},
    "slack": {"webhook_url": f"https://hooks.example.com{SECRETS['path']}"},
    "webhook": {
        "url": f"https://hooks.example.com{SECRETS['path']}",
        "secret": [SECRETS["signing"], SECRETS["signing"]],
        "headers": {"Authorization": SECRETS["header"]},
    },
}


def test_every_service_is_tested_here() -> None:
    assert set(BODIES) == set(SERVICES)


@pytest.mark.parametrize("service", BODIES)
@pytest.mark.parametrize("filters", [{}, FILTERS], ids=["plain", "filtered"])
def test_a_channel_comes_back_whole_from_what_is_masked_and_its_secrets(
    service: str, filters: dict[str, Any]
) -> None:
    body = {"name": "night", "service": service, **BODIES[service], **filters}
    settings = channel_settings(body, KNOWN)
    masked = masked_settings(settings)

    assert "SECRET" not in str(masked)
    again = restored_settings(masked, settings.key, other_secrets(settings), KNOWN)
    assert again == settings
    assert masked_settings(again) == masked


@pytest.mark.parametrize("service", [service for service in BODIES if service != "console"])
def test_a_channel_that_is_gone_can_still_be_sent_with(service: str) -> None:
    settings = channel_settings({"name": "n", "service": service, **BODIES[service]}, KNOWN)
    former = former_settings(service, "n", settings.key, "", other_secrets(settings))

    assert former is not None
    assert (former.key, other_secrets(former)) == (settings.key, other_secrets(settings))


def test_a_webhook_without_its_signing_secret_cannot_be_rebuilt() -> None:
    assert former_settings("webhook", "n", "https://hooks.example.com/x", "", {}) is None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/service"]),
        ({"name": "a", "service": "slack"}, ["/webhook_url"]),
        ({"name": "\ud800", "service": "console"}, [""]),
        ({"name": "a", "service": "console", "where": {"a/b~c": 7}}, ["/where/a~1b~0c"]),
        (
            {"name": "a", "service": "webhook", "url": 7, "secret_file": "/etc/shadow"},
            ["/secret_file", "/url", "/secret"],
        ),
        ({"name": "a", "service": "console", "severity_map": {"bad": "worse"}}, None),
    ],
)
def test_mistakes_are_told_with_pointers(body: dict[str, Any], pointers: list[str] | None) -> None:
    with pytest.raises(InvalidError) as caught:
        channel_settings(body, KNOWN)

    found = [mistake.pointer for mistake in caught.value.mistakes]
    assert found == (pointers or ["/severity_map/bad"] * 2)


def test_a_mistake_in_a_secret_never_tells_it() -> None:
    wrong = {
        "name": "a",
        "service": "webhook",
        "url": f"ftp://hooks.example.com{SECRETS['path']}",
        "secret": "SECRET",
        "headers": {"Authorization": "SECRET\n"},
    }
    with pytest.raises(InvalidError) as caught:
        channel_settings(wrong, KNOWN)

    assert len(caught.value.mistakes) == 3
    assert "SECRET" not in str(caught.value)
