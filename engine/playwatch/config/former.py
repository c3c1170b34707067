"""Settings of channels that the configuration has lost, from what the key ring kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from playwatch.config.channels import PagerDutySettings
from playwatch.config.hooks import SlackSettings

if TYPE_CHECKING:
    from playwatch.config.channels import ChannelSettings


def former_settings(service: str, name: str, key: str, url: str) -> ChannelSettings | None:
    """Return what a removed channel was, as far as sending needs it; None when that is unknown.

    Notes
    -----
    A webhook cannot be rebuilt: what signs it is not kept.
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
    return None
