from __future__ import annotations

import base64
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from playwatch.channels import fingerprint
from playwatch.channels.addresses import PATIENCE
from playwatch.channels.webhook import WebhookChannel, message_id, signed_headers
from playwatch.core.deliveries import Misconfigured, Rejected, Retry, Sent
from playwatch.core.rules import Severity
from playwatch.runtime.clock import SystemClock
from tests.fakes import HandClock
from tests.kit.channels import (
    PATIENT,
    SIGNING_SECRET,
    a_delivery,
    an_incident,
    its_resolve,
    webhook_settings,
    words_of,
)
from tests.kit.receivers import HookReceiver, reads_webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.ports import Clock

ANOTHER = "whsec_" + base64.b64encode(secrets.token_bytes(64)).decode()


def receiver(secret: str = SIGNING_SECRET) -> HookReceiver:
    return HookReceiver(reads_webhooks(secret))


SHORTENED = replace(a_delivery(), is_shortened=True)


async def sent(
    url: str,
    *deliveries: Delivery,
    secret: str = SIGNING_SECRET,
    headers: Mapping[str, str] | None = None,
    key_of: Callable[[str], str | None] = lambda _: None,
    clock: Clock | None = None,
) -> Attempt:
    """Return what became of the last of these deliveries."""
    channel = WebhookChannel(
        webhook_settings(url, secret, headers),
        clock=clock or SystemClock(),
        page_url="https://example.com/",
        key_of=key_of,
        limits=PATIENT,
    )
    attempts = [await channel.send(delivery) for delivery in deliveries or (a_delivery(),)]
    await channel.close()
    return attempts[-1]


async def test_a_message_carries_the_whole_incident() -> None:
    async with receiver() as server:
        assert await sent(server.url) == Sent("200 ok")
        document = server.journal[0].document

    assert document == {
        "type": "incident.triggered",
        "timestamp": "2027-01-15T08:02:00.000Z",
        "channel": "on-call",
        "data": {
            "id": "a1b2c3d4e5f6",
            "dedup_key": "playwatch/a1b2c3d4e5f6",
            "rule": "playback-failures",
            "alert_type": "threshold",
            "status": "open",
            "severity": "critical",
            "summary": (
                "Playback failure percentage 7.4 % (> 5) in country=DE, cdn=fastly:"
                " 74 of 1,000 views affected"
            ),
            "incident_key": "f" * 64,
            "measurement": "playback_failure_percentage",
            "unit": "%",
            "breakdowns": {"country": "DE", "cdn": "fastly"},
            "breakdowns_left_out": 0,
            "measured_value": 7.4,
            "measured_value_on_close": None,
            "peak_value": 9.1,
            "threshold": 5.0,
            "bound": "> 5",
            "expected": None,
            "expected_low": None,
            "expected_high": None,
            "explained": {},
            "sample_size": 1000,
            "affected_viewers": 74,
            "window_s": 60.0,
            "flaps": 0,
            "is_silence": False,
            "started_at": "2027-01-15T08:00:00.000Z",
            "opened_at": "2027-01-15T08:02:00.000Z",
            "resolved_at": None,
            "ended_at": None,
            "reason": "",
            "runbook": "https://example.com/runbooks/playback-failures",
            "url": "https://example.com/incidents/a1b2c3d4e5f6",
        },
    }


async def test_an_end_has_the_keys_of_the_beginning_and_its_own_type() -> None:
    trigger = a_delivery()
    async with receiver() as server:
        await sent(server.url, trigger, its_resolve(trigger))
        first, second = (heard.document for heard in server.journal)

    assert second["type"] == "incident.resolved"
    assert second["timestamp"] == second["data"]["ended_at"] == "2027-01-15T08:10:00.000Z"
    assert second["data"]["dedup_key"] == first["data"]["dedup_key"]
    assert second["data"].keys() == first["data"].keys()


async def test_a_retry_has_the_same_id_and_body_and_a_signature_of_its_own_moment() -> None:
    clock = HandClock()
    async with receiver() as server:
        server.fail("reset", times=2)
        for _ in range(2):
            await sent(server.url, clock=clock)
            await clock.advance(600)
        first, second = server.journal

    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == a_delivery().id
    moments = [int(heard.headers["webhook-timestamp"]) for heard in (first, second)]
    assert moments[1] - moments[0] == 600
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_a_resolve_is_another_message_than_its_trigger() -> None:
    trigger = a_delivery()

    assert message_id(trigger) != message_id(
        replace(its_resolve(trigger), id="a1b2c3d4e5f6/on-call/resolve")
    )


@pytest.mark.parametrize("identity", ["a.b/on-call/trigger", "é", "a\r\nb", "x" * 300, ""])
def test_an_id_that_could_forge_a_signature_is_digested(identity: str) -> None:
    found = message_id(replace(a_delivery(), id=identity))

    assert found.startswith("delivery_")
    assert "." not in found
    assert found == message_id(replace(a_delivery(), id=identity))


async def test_while_secrets_are_exchanged_both_receivers_can_check() -> None:
    both = f"{ANOTHER} {SIGNING_SECRET}"
    for secret in (SIGNING_SECRET, ANOTHER):
        async with receiver(secret) as server:
            assert await sent(server.url, secret=both) == Sent("200 ok")
            assert server.journal[0].headers["webhook-signature"].count("v1,") == 2


def test_the_reference_library_refuses_what_was_changed() -> None:
    body = b'{"type":"incident.triggered"}'
    key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
    headers = signed_headers("a/b/c", SystemClock().wall_ms() // 1000, body, [key])
    judge = Webhook(SIGNING_SECRET)

    assert judge.verify(body, headers) == {"type": "incident.triggered"}
    with pytest.raises(WebhookVerificationError):
        judge.verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        judge.verify(body, {**headers, "webhook-id": "a/b/d"})
    with pytest.raises(WebhookVerificationError):
        judge.verify(body, {**headers, "webhook-timestamp": "1600000000"})


async def test_a_wrong_secret_waits_for_the_operator() -> None:
    async with receiver(ANOTHER) as server:
        attempt = await sent(server.url)

        assert server.requests == 1

    assert isinstance(attempt, Misconfigured)
    assert "check `secret`" in attempt.reason


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_success_is_an_acceptance(status: int) -> None:
    async with receiver() as server:
        server.fail("status", status=status)

        assert isinstance(await sent(server.url), Sent)


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "`secret` and `headers`"), (404, "`url`"), (405, "no POST"), (410, "no more messages")],
)
async def test_the_operator_is_told_what_to_look_at(status: int, advice: str) -> None:
    async with receiver() as server:
        server.fail("status", status=status, times=None)
        attempt = await sent(server.url)

        assert server.requests == 1

    assert isinstance(attempt, Misconfigured)
    assert advice in attempt.reason


async def test_a_message_called_invalid_may_pass_with_less() -> None:
    async with receiver() as server:
        server.fail("status", status=413)
        refused = await sent(server.url)
        attempt = await sent(server.url, SHORTENED)
        first, second = server.journal

    assert isinstance(refused, Rejected)
    assert "refused it: 413" in refused.reason
    assert isinstance(attempt, Sent)
    assert "without its details" in attempt.answer
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.document["is_shortened"] is True
    assert second.document["data"]["dedup_key"] == "playwatch/a1b2c3d4e5f6"
    assert len(second.body) < len(first.body)


async def test_a_message_refused_in_its_least_form_says_why() -> None:
    async with receiver() as server:
        server.fail("status", status=422, body='{"errors":["no such team"]}')
        attempt = await sent(server.url, SHORTENED)

    assert isinstance(attempt, Rejected)
    assert "shortest form of it: 422 no such team" in attempt.reason


async def test_further_headers_are_sent_and_never_told() -> None:
    bearer = "Bearer a-token-for-one-receiver"
    async with receiver() as server:
        server.fail("status", status=401, body=f"not with {bearer}")
        attempt = await sent(server.url, headers={"Authorization": bearer})

        assert server.journal[0].headers["Authorization"] == bearer
    assert bearer not in words_of(attempt)
    assert "not with <key>" in words_of(attempt)


async def test_the_end_goes_where_the_beginning_went_without_the_present_headers() -> None:
    async with receiver() as before, receiver() as after:
        routed = fingerprint(before.url)
        trigger = a_delivery(key_fingerprint=routed)
        attempt = await sent(
            after.url,
            its_resolve(trigger),
            headers={"Authorization": "Bearer for the present one"},
            key_of={routed: before.url}.get,
        )

        assert attempt == Sent("200 ok")
        assert (before.resolves, after.requests) == (1, 0)
        assert "Authorization" not in before.journal[0].headers


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_former_address_that_is_gone_does_not_hold_the_queue(*, is_known: bool) -> None:
    async with receiver() as before, receiver() as after:
        before.fail("status", status=410, times=None)
        routed = fingerprint(before.url)
        attempt = await sent(
            after.url,
            its_resolve(a_delivery(key_fingerprint=routed)),
            key_of=lambda _: before.url if is_known else None,
        )

        assert after.resolves == 1
    assert isinstance(attempt, Sent)
    assert "to the present url" in attempt.answer


async def test_a_former_address_that_is_away_is_tried_again_but_not_for_ever() -> None:
    async with receiver() as before, receiver() as after:
        before.fail("status", status=503, times=None)
        trigger = a_delivery(key_fingerprint=fingerprint(before.url))

        first = await sent(after.url, trigger, key_of=lambda _: before.url)
        assert after.requests == 0
        last = await sent(
            after.url, replace(trigger, attempts=PATIENCE), key_of=lambda _: before.url
        )

        assert after.triggers == 1
    assert isinstance(first, Retry)
    assert isinstance(last, Sent)


async def test_a_rise_is_a_trigger_of_the_same_key() -> None:
    async with receiver() as server:
        await sent(
            server.url,
            a_delivery(an_incident(severity=Severity.WARNING)),
            a_delivery(an_incident(severity=Severity.CRITICAL)),
        )
        told = [heard.document["data"] for heard in server.journal]

        assert server.triggers == 2
        assert len(server.open_keys) == 1
    assert [data["severity"] for data in told] == ["warning", "critical"]


async def test_nothing_of_the_url_but_its_host_is_told() -> None:
    async with receiver() as server:
        url = server.url
    hidden = url.replace("http://", "http://user:hiddenpassword@") + "/hiddenpath?t=hiddenquery"
    channel = WebhookChannel(webhook_settings(hidden), clock=SystemClock(), limits=PATIENT)

    attempt = await channel.send(a_delivery())
    await channel.close()

    assert isinstance(attempt, Retry)
    assert "hidden" not in f"{attempt!r} {channel!r} {channel.endpoint}"
