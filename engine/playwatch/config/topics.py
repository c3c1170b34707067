"""MQTT's words in a configuration: broker URLs and topic filters."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from playwatch.config.fields import mistake

_LENGTH_LIMIT: Final = 65_535


def check_broker_url(url: str) -> None:
    """Refuse a URL that is not ``mqtt://host[:port]`` or ``mqtts://host[:port]``.

    The words never quote it: a password may stand in it by mistake.

    Raises
    ------
    PydanticCustomError
        With what is wrong.
    """
    hint = "write mqtt://host:1883, or mqtts://host:8883 with TLS"
    try:
        parts = urlsplit(url)
        has_password = bool(parts.username or parts.password)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        message = "is not a URL with a host and a port"
        raise mistake(message, hint) from None
    if parts.scheme not in {"mqtt", "mqtts"}:
        message = "must start with mqtt:// or mqtts://"
        raise mistake(message, hint)
    if has_password or "@" in url:
        message = "must not hold a user name or a password"
        raise mistake(message, "they have keys of their own: username, password, password_file")
    if not is_whole or parts.path not in {"", "/"} or "?" in url or "#" in url or " " in url:
        message = "must be a host and a port, nothing more"
        raise mistake(message, hint)


def check_topic_filter(topic: str) -> None:
    """Refuse what MQTT does not allow as a topic filter.

    Raises
    ------
    PydanticCustomError
        With the rule that is broken.

    References
    ----------
    MQTT 5.0, section 4.7 (topic names and filters) and 4.8.2 (shared
    subscriptions).
    """
    if "\0" in topic or len(topic.encode()) > _LENGTH_LIMIT:
        message = "holds a NUL character, or is longer than 65535 bytes"
        raise mistake(message)
    levels = topic.split("/")
    if levels[0] == "$share":
        if len(levels) < 3 or not levels[1] or not "".join(levels[2:]):  # noqa: PLR2004 - $share, group, filter
            message = "a shared subscription is $share/<group>/<filter>"
            raise mistake(message)
        if set(levels[1]) & set("+#"):
            message = "the group of a shared subscription holds a wildcard"
            raise mistake(message)
        levels = levels[2:]
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        message = "'#' must be the whole last level"
        raise mistake(message, 'such as "playwatch/samples/#"')
    if any("+" in level and level != "+" for level in levels):
        message = "'+' must be a whole level"
        raise mistake(message, 'such as "playwatch/+/samples"')
