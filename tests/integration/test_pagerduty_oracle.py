"""PagerDuty's own client says how an event looks; ours must look the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pagerduty import EventsApiV2Client

from playwatch.channels.pagerduty import PagerDutyChannel
from playwatch.core.deliveries import Sent
from playwatch.core.rules import AlertType, Severity
from playwatch.demo.stand_in import StandIn
from tests.fakes import HandClock
from tests.kit.channels import (
    KEY,
    PATIENT,
    a_delivery,
    an_incident,
    its_resolve,
    pagerduty_settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.core.deliveries import Delivery

Event = dict[str, Any]

ANOMALY = an_incident(
    alert_type=AlertType.ANOMALY,
    severity=Severity.WARNING,
    expected_low=0.4,
    expected_high=2.1,
    breakdowns=(("video_title", "Zoë's “live” show 👩‍👩‍👧‍👦"), ("country", "")),
    runbook="",
)


async def ours(*deliveries: Delivery) -> list[Event]:
    """Return the events that our channel sends for these deliveries."""
    async with StandIn() as server:
        channel = PagerDutyChannel(
            pagerduty_settings(server.url),
            clock=HandClock(),
            page_url="https://example.com",
            limits=PATIENT,
        )
        for delivery in deliveries:
            assert isinstance(await channel.send(delivery), Sent)
        await channel.close()
        events = [entry.event for entry in server.journal]
    return [{**(event or {}), "routing_key": KEY} for event in events]


def theirs(*calls: Callable[[EventsApiV2Client], object]) -> list[Event]:
    """Return the events that PagerDuty's client sends for these calls."""
    events: list[Event] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/v2/enqueue"
        assert request.headers["Content-Type"] == "application/json"
        events.append(json.loads(request.content))
        return httpx2.Response(202, json={"status": "success", "dedup_key": "x"})

    client = EventsApiV2Client(KEY, transport=httpx2.MockTransport(answer))
    for call in calls:
        call(client)
    client.close()
    return events


@pytest.mark.parametrize("incident", [an_incident(), ANOMALY], ids=["threshold", "anomaly"])
async def test_a_trigger_is_what_the_official_client_would_send(incident: Any) -> None:  # noqa: ANN401 - an Incident, which pytest must not read
    (sent,) = await ours(a_delivery(incident))
    payload = sent["payload"]
    more = {name: payload[name] for name in ("timestamp", "class", "component", "group")}

    (official,) = theirs(
        lambda client: client.trigger(
            payload["summary"],
            payload["source"],
            dedup_key=sent["dedup_key"],
            severity=payload["severity"],
            payload=more,
            custom_details=payload["custom_details"],
            links=sent["links"],
        )
    )

    # Only `send_event` of theirs takes these two.
    assert sent.pop("client") == "Playwatch"
    assert sent.pop("client_url") == f"https://example.com/incidents/{incident.id}"
    assert sent == official


async def test_a_resolve_is_the_official_one_with_the_payload_of_its_trigger() -> None:
    trigger = a_delivery()
    opened, resolved = await ours(trigger, its_resolve(trigger))
    (official,) = theirs(lambda client: client.resolve(resolved["dedup_key"]))

    payload = resolved.pop("payload")

    assert resolved == official
    # Event orchestrations route trigger and resolve by the same fields.
    for name in ("class", "component", "group", "source", "severity", "summary", "timestamp"):
        assert payload[name] == opened["payload"][name]
    for name in ("metric", "rule", "alert_type", "dimensions", "bound"):
        assert payload["custom_details"][name] == opened["payload"]["custom_details"][name]
