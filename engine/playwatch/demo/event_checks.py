"""What PagerDuty refuses in an event, in its own sentences.

Each sentence that starts a list below was seen from the live Events API v2;
those about lengths follow its documented limits in the same manner.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Event = dict[str, object]

ACTIONS: Final = ("trigger", "acknowledge", "resolve")
SEVERITIES: Final = ("critical", "warning", "error", "info")

_KEY_LENGTH: Final = 32
_DEDUP_KEY_LIMIT: Final = 255
_SUMMARY_LIMIT: Final = 1_024
_INTEGER_DIGITS: Final = 400


def event_in(body: bytes) -> Event | None:
    """Return the JSON object in a body; None when there is none.

    ``NaN`` and ``Infinity`` are not JSON.
    """
    try:
        event = json.loads(body, parse_constant=_refuse, parse_int=_integer)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def problems(event: Event) -> list[str]:
    """Return why an event is refused; empty when it is accepted."""
    return [*_key_problems(event), *_action_problems(event), *_payload_problems(event)]


def _refuse(constant: str) -> float:
    message = f"{constant} is not JSON"
    raise ValueError(message)


def _integer(digits: str) -> float:
    return int(digits) if len(digits) < _INTEGER_DIGITS else float(digits)


def _is_blank(value: object) -> bool:
    return not isinstance(value, str) or not value.strip()


def _key_problems(event: Event) -> Iterator[str]:
    key = event.get("routing_key")
    if not isinstance(key, str) or not key.strip():
        yield "'routing_key' is missing or blank"
        return
    if len(key) != _KEY_LENGTH:
        yield "Length of 'routing_key' is incorrect (should be 32 characters)"
    if not (key.isascii() and key.isalnum()):
        yield "'routing_key' cannot contain non-alphanumeric characters."


def _action_problems(event: Event) -> Iterator[str]:
    action, dedup_key = event.get("event_action"), event.get("dedup_key")
    if _is_blank(action):
        yield "'event_action' is missing or blank"
    elif action not in ACTIONS:
        yield (
            "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or"
            " 'resolve')"
        )
    if dedup_key is None:
        if action in {"acknowledge", "resolve"}:
            yield "'dedup_key' is missing or blank"
    elif _is_blank(dedup_key):
        yield "'dedup_key' is missing or blank"
    elif len(str(dedup_key)) > _DEDUP_KEY_LIMIT:
        yield "'dedup_key' is too long (maximum is 255 characters)"


def _payload_problems(event: Event) -> Iterator[str]:
    payload = event.get("payload")
    if payload is None and event.get("event_action") in {"acknowledge", "resolve"}:
        return
    if not isinstance(payload, dict):
        yield "'payload' is missing or blank"
        return
    yield from _required_problems(payload)
    for name in ("component", "group", "class", "timestamp"):
        if name in payload and not isinstance(payload[name], str):
            yield f"'payload.{name}' is invalid (must be a string)"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "'payload.custom_details' is invalid (must be an object)"


def _required_problems(payload: Event) -> Iterator[str]:
    summary, severity = payload.get("summary"), payload.get("severity")
    if _is_blank(summary):
        yield "'payload.summary' is missing or blank"
    elif len(str(summary)) > _SUMMARY_LIMIT:
        yield "'payload.summary' is too long (maximum is 1024 characters)"
    if _is_blank(payload.get("source")):
        yield "'payload.source' is missing or blank"
    if _is_blank(severity):
        yield "'payload.severity' is missing or blank"
    elif severity not in SEVERITIES:
        yield (
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning',"
            " 'error' or 'info')"
        )
