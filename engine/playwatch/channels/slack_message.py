"""A Slack message, from the facts of one delivery.

What people or metrics wrote stands in ``plain_text`` only, where ``*``, ``_`` and
backquotes mean nothing, with ``&``, ``<`` and ``>`` escaped, so that no name of a
series mentions a channel or makes a link. Slack's limits: 50 blocks, 3,000
characters a section, 2,000 a field, 10 fields; all are counted after escaping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwatch.channels.sendable import Fields, encoded, is_link, number
from playwatch.channels.wording import headline, lasted, one_line, place, shortened
from playwatch.core.deliveries import Action
from playwatch.core.rules import Severity

if TYPE_CHECKING:
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident

SECTION_LIMIT: Final = 3_000
FIELD_LIMIT: Final = 2_000

_SHOWN: Final = 1_000
_MARKS: Final = {
    Severity.CRITICAL: "🔴",
    Severity.ERROR: "🟠",
    Severity.WARNING: "🟡",
    Severity.INFO: "🔵",
}
_ENDED: Final = "✅"
_WIDTHS: Final = {"&": 5, "<": 4, ">": 4}


def full_body(delivery: Delivery, page_url: str = "") -> bytes:
    """Return the message as UTF-8 JSON; the same bytes on every attempt."""
    incident = delivery.incident
    said = _said(delivery)
    blocks: list[Fields] = [{"type": "section", "text": _plain(said, SECTION_LIMIT)}]
    fields = [_plain(field, FIELD_LIMIT) for field in _facts(incident)]
    blocks.append({"type": "section", "fields": fields})
    context: list[Fields] = [
        _plain(f"{incident.alert_type.value} · {delivery.dedup_key}", FIELD_LIMIT)
    ]
    if links := _links(incident, page_url):
        context.append({"type": "mrkdwn", "text": links})
    blocks.append({"type": "context", "elements": context})
    return encoded({**_text(said), "blocks": blocks})


def minimal_body(delivery: Delivery) -> bytes:
    """Return the headline as plain text: a page with less beats no page."""
    return encoded(_text(_said(delivery)))


def escaped(words: str, limit: int) -> str:
    """Return words with Slack's three control characters escaped, within a limit.

    It ends in ``…`` when it was cut; no escape is cut in two.
    """
    width = 0
    for kept, character in enumerate(words):
        width += _WIDTHS.get(character, 1)
        if width > limit:
            fits = _fitting(words, kept, limit - 1)
            words = shortened(f"{words} ", fits + 1)  # Longer than that, so that it is cut.
            break
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fitting(words: str, kept: int, room: int) -> int:
    """Return how many characters fit into so much room, at most ``kept``."""
    width = sum(_WIDTHS.get(character, 1) for character in words[:kept])
    while kept and width > room:
        kept -= 1
        width -= _WIDTHS.get(words[kept], 1)
    return kept


def _said(delivery: Delivery) -> str:
    """Return the first line: what happened, how bad, to whom."""
    incident = delivery.incident
    said = shortened(headline(incident), _SHOWN)
    rule = shortened(one_line(incident.rule), _SHOWN)
    if delivery.action is Action.RESOLVE:
        return f"{_ENDED} Resolved: {rule}: {lasted(incident)} - was: {said}"
    return f"{_MARKS[incident.severity]} {incident.severity.word.capitalize()}: {rule}: {said}"


def _facts(incident: Incident) -> list[str]:
    """Return up to ten facts as ``name: value``."""
    unit = f" {one_line(incident.unit)}" if incident.unit else ""
    shown = {
        "Metric": one_line(incident.measurement),
        "Value": _reading(incident.measured_value, unit),
        "Bound": one_line(incident.bound),
        "Worst": _reading(incident.peak_value, unit),
        "At its end": _reading(incident.measured_value_on_close, unit),
        "Views": f"{incident.affected_viewers:,} of {incident.sample_size:,} affected",
        "Where": place(incident.breakdowns, ", "),
        "Severity": incident.severity.word,
    }
    return [f"{name}: {shortened(value, _SHOWN)}" for name, value in shown.items() if value]


def _reading(value: float | None, unit: str) -> str:
    known = number(value)
    return "" if known is None else f"{known:.4g}{unit}"


def _links(incident: Incident, page_url: str) -> str:
    """Return links as Slack writes them, nothing in them that could end one."""
    named = {
        "Incident": f"{page_url}/incidents/{incident.id}" if page_url else "",
        "Runbook": incident.runbook,
    }
    return " · ".join(f"<{_address(url)}|{name}>" for name, url in named.items() if is_link(url))


def _address(url: str) -> str:
    safe = url.replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return safe.replace("&", "&amp;")


def _plain(words: str, limit: int) -> Fields:
    return {"type": "plain_text", "text": escaped(words, limit), "emoji": False}


def _text(said: str) -> Fields:
    """Return what stands in notifications, and where blocks cannot be shown."""
    return {"text": escaped(said, SECTION_LIMIT), "mrkdwn": False}
