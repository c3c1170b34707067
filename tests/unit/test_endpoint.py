from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from playwatch.config.schema import MqttSettings, TlsSettings
from playwatch.errors import BrokerError
from playwatch.ingest.endpoint import Endpoint


def endpoint(**settings: Any) -> Endpoint:  # noqa: ANN401 - any setting
    # What the configuration would refuse reaches us from the command line too.
    return Endpoint.of(MqttSettings.model_construct(**settings))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", "mqtt://broker:1883"),
        ("mqtts://broker", "mqtts://broker:8883"),
        ("mqtt://broker:2000/", "mqtt://broker:2000"),
        ("mqtt://[::1]", "mqtt://[::1]:1883"),
    ],
)
def test_the_port_follows_the_scheme(url: str, expected: str) -> None:
    assert expected == str(endpoint(url=url))


def test_credentials_of_the_url_are_used_and_never_shown() -> None:
    found = endpoint(url="mqtt://me:s%40cret@broker")

    assert (found.username, found.password) == ("me", "s@cret")
    assert "s@cret" not in f"{found} {found!r}"


def test_credentials_of_the_settings_go_before_those_of_the_url() -> None:
    found = endpoint(url="mqtt://me:old@broker", username="you", password=SecretStr("new"))

    assert (found.username, found.password) == ("you", "new")


@pytest.mark.parametrize(
    "url", ["broker:1883", "http://broker", "mqtt://", "mqtt://b:99999", "mqtt://b/topic", ""]
)
def test_what_is_no_address_of_a_broker_is_refused(url: str) -> None:
    with pytest.raises(BrokerError, match="mqtt://host:1883"):
        endpoint(url=url)


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(BrokerError) as refusal:
        endpoint(url="mqt://me:secret@broker")

    assert "secret" not in str(refusal.value)


def test_without_a_url_the_embedded_broker_is_meant_and_speaks_3_1_1() -> None:
    found = endpoint(embedded=True, listen="127.0.0.1:1999")

    assert (str(found), found.protocol) == ("mqtt://127.0.0.1:1999", "3.1.1")


def test_without_any_broker_the_setting_is_named() -> None:
    with pytest.raises(BrokerError, match=r"mqtt\.url"):
        endpoint()


def test_certificates_matter_only_with_tls() -> None:
    assert endpoint(url="mqtt://broker").tls is None
    assert endpoint(url="mqtts://broker").tls is not None


def test_a_missing_certificate_is_named() -> None:
    found = endpoint(
        url="mqtts://broker", tls=TlsSettings.model_construct(ca_file="/nowhere/ca.pem")
    )

    with pytest.raises(BrokerError, match=r"/nowhere/ca\.pem"):
        found.ssl_context()
