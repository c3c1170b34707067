"""Settings of channels that the configuration has lost, from what the key ring kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from playwatch.config.channels import PagerDutySettings
from playwatch.config.hooks import SlackSettings, WebhookSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.config.channels import ChannelSettings

_HEADER: Final = "headers."


def other_secrets(settings: ChannelSettings) -> dict[str, str]:
    """Return the secrets of a channel beside its key, by the name of their setting."""
    if not isinstance(settings, WebhookSettings):
        return {}
    headers = {f"{_HEADER}{name}": one.get_secret_value() for name, one in settings.headers.items()}
    return {"secret": settings.secret.get_secret_value(), **headers}


def secret_fields(service: str, key: str, others: Mapping[str, str]) -> dict[str, object]:
    """Return the secret settings of a service as a configuration file would have them."""
    if service == "webhook":
        headers = {n.removeprefix(_HEADER): v for n, v in others.items() if n.startswith(_HEADER)}
        return {"url": key, "secret": others.get("secret", "").split(), "headers": headers}
    names = {"pagerduty": "integration_key", "slack": "webhook_url"}
    return {names[service]: key} if service in names else {}


def former_settings(
    service: str, name: str, key: str, url: str, others: Mapping[str, str]
) -> ChannelSettings | None:
    """Return what a removed channel was, as far as sending needs it; None when that is unknown.

    Notes
    -----
    A webhook whose signing secret an older version did not keep cannot be rebuilt.
    """
    if service == "pagerduty":
        return PagerDutySettings.model_construct(
            name=name,
            service="pagerduty",
            integration_key=SecretStr(key),
            url=url or None,
        )
    if service == "slack":
        return SlackSettings.model_construct(name=name, service="slack", webhook_url=SecretStr(key))
    if service == "webhook" and "secret" in others:
        headers = {n.removeprefix(_HEADER): v for n, v in others.items() if n.startswith(_HEADER)}
        return WebhookSettings.model_construct(
            name=name,
            service="webhook",
            url=SecretStr(key),
            secret=SecretStr(others["secret"]),
            headers={header: SecretStr(value) for header, value in headers.items()},
        )
    return None
