from __future__ import annotations

import asyncio
import inspect
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from playwatch.channels import SERVICES, fingerprint, open_channel
from playwatch.channels.guard import AddressGuard
from playwatch.channels.severities import SeverityMapped
from playwatch.core.deliveries import (
    Action,
    Misconfigured,
    Rejected,
    Retry,
    Sent,
)
from playwatch.core.rules import Severity
from playwatch.runtime.clock import SystemClock
from playwatch.runtime.rehearsal import tried
from tests.fakes import HandClock
from tests.kit.channels import (
    CHANNELS,
    HOSTILE_INCIDENTS,
    HTTP_CHANNELS,
    OUTCOMES,
    Outcome,
    Subject,
    a_delivery,
    an_incident,
    its_resolve,
    words_of,
)

if TYPE_CHECKING:
    from playwatch.core.deliveries import Attempt, Delivery
    from playwatch.core.incidents import Incident

each_channel = pytest.mark.parametrize("subject", CHANNELS, ids=lambda subject: subject.service)
each_http_channel = pytest.mark.parametrize(
    "subject", HTTP_CHANNELS, ids=lambda subject: subject.service
)


def test_every_registered_service_is_tested_here() -> None:
    assert {subject.service for subject in CHANNELS} == set(SERVICES)


@each_channel
async def test_a_channel_delivers_a_trigger_and_its_resolve(subject: Subject) -> None:
    async with subject.receiver() as server:
        channel = subject.open(server.url)
        trigger = a_delivery(key_fingerprint=channel.key_fingerprint)

        attempts = [await channel.send(trigger), await channel.send(its_resolve(trigger))]
        await channel.close()

    assert all(isinstance(attempt, Sent) for attempt in attempts)


@each_channel
async def test_a_channel_has_its_configured_name(subject: Subject) -> None:
    channel = subject.open("http://127.0.0.1:9/")

    assert channel.name == "on-call"


@each_channel
def test_a_channel_tells_the_fingerprint_of_its_key_and_not_the_key(subject: Subject) -> None:
    channel = subject.open("http://127.0.0.1:9/")

    assert channel.key_fingerprint == fingerprint(subject.key("http://127.0.0.1:9/"))
    assert not subject.secret or subject.secret not in f"{channel!r} {channel}"


@each_channel
async def test_a_closed_channel_can_be_closed_again(subject: Subject) -> None:
    channel = subject.open("http://127.0.0.1:9/")

    await channel.close()
    await channel.close()


@each_channel
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(incident=HOSTILE_INCIDENTS)
def test_no_incident_makes_a_channel_raise(subject: Subject, incident: Incident) -> None:
    async def deliver() -> None:
        async with subject.receiver() as server:
            channel = subject.open(server.url)
            for action in Action:
                attempt = await channel.send(a_delivery(incident, action))

                assert isinstance(attempt, Sent)
                assert "(" not in attempt.answer
            await channel.close()

    asyncio.run(deliver())


@each_http_channel
@pytest.mark.parametrize("outcome", OUTCOMES, ids=str)
async def test_every_outcome_becomes_an_attempt_without_the_secret(
    subject: Subject, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with subject.receiver() as server:
        server.fail(**outcome.fault)  # type: ignore[arg-type] # checked by the stand-in
        channel = subject.open(server.url, outcome.limits)

        attempt = await channel.send(a_delivery())
        await channel.close()

    assert isinstance(attempt, subject.differs.get(outcome.name, outcome.expected))
    assert {name: getattr(attempt, name) for name in outcome.facts} == outcome.facts
    assert words_of(attempt)
    assert subject.secret not in f"{attempt!r} {caplog.text}"


@each_http_channel
async def test_a_receiver_that_echoes_the_secret_does_not_leak_it(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (202, 400, 401, 429, 500):
        async with subject.receiver() as server:
            server.fail("status", status=status, body=f"got {subject.secret}", times=None)
            channel = subject.open(server.url)

            attempt = await channel.send(a_delivery())
            await channel.close()

        assert "got <key>" in words_of(attempt)
        assert subject.secret not in f"{attempt!r} {caplog.text}"


@each_http_channel
async def test_a_resolve_shares_the_key_of_its_trigger(subject: Subject) -> None:
    async with subject.receiver() as server:
        channel = subject.open(server.url)
        trigger = a_delivery()
        await channel.send(trigger)
        await channel.send(its_resolve(trigger))
        await channel.close()

        assert (server.triggers, server.resolves) == (1, 1)
        assert server.open_keys == set()
        assert {entry.dedup_key for entry in server.journal} == {trigger.dedup_key}


@each_http_channel
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("20", 20.0),
        ("1.5", 1.5),
        ("0", 1.0),
        ("9999999999", 300.0),
        ("9" * 5000, 300.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Wed, 01 Jan 2025 00:00:00 GMT", 1.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
    ],
)
async def test_a_receiver_that_asks_for_a_pause_is_heard(
    subject: Subject, header: str, expected: float | None
) -> None:
    async with subject.receiver() as server:
        server.fail("status", status=429, headers={"Retry-After": header})
        channel = subject.open(server.url)

        attempt = await channel.send(a_delivery())
        await channel.close()

    assert isinstance(attempt, Retry)
    assert attempt.is_rate_limit
    assert attempt.after_s == expected


@each_http_channel
async def test_nobody_listening_is_worth_another_try(subject: Subject) -> None:
    async with subject.receiver() as server:
        url = server.url
    channel = subject.open(url)

    attempt = await channel.send(a_delivery())
    await channel.close()

    assert isinstance(attempt, Retry)
    assert not attempt.is_ambiguous


@each_http_channel
@pytest.mark.parametrize("url", ["", "ftp://example.com/", "not a url", "http://", "http://[::1"])
async def test_an_address_that_is_none_waits_for_the_operator(subject: Subject, url: str) -> None:
    channel = subject.open(url or "/")

    attempt = await channel.send(a_delivery())
    await channel.close()

    assert isinstance(attempt, Misconfigured)
    assert "url" in attempt.reason


@each_http_channel
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(subject: Subject, status: int) -> None:
    async with subject.receiver() as server:
        server.fail("status", status=status, headers={"Location": server.url})
        channel = subject.open(server.url)

        attempt = await channel.send(a_delivery())
        await channel.close()

        assert isinstance(attempt, Misconfigured)
        assert str(status) in attempt.reason
        assert server.requests == 1


@each_http_channel
@pytest.mark.parametrize("kind", ["close", "stale"])
async def test_a_connection_closed_while_idle_costs_no_attempt(subject: Subject, kind: str) -> None:
    async with subject.receiver() as server:
        server.fail(kind)
        channel = subject.open(server.url)
        trigger = a_delivery()
        await channel.send(trigger)

        attempt = await channel.send(its_resolve(trigger))
        await channel.close()

        assert isinstance(attempt, Sent)
        assert server.open_keys == set()


@each_http_channel
async def test_a_cut_connection_is_remembered_when_the_fresh_one_fails_too(
    subject: Subject,
) -> None:
    async with subject.receiver() as server:
        server.fail("stale")
        server.fail("status", status=503)
        channel = subject.open(server.url)
        trigger = a_delivery()
        await channel.send(trigger)

        attempt = await channel.send(its_resolve(trigger))
        await channel.close()

        assert server.requests == 3
        assert isinstance(attempt, Retry)
        assert attempt.is_ambiguous


@each_http_channel
async def test_a_cancelled_send_ends_at_once_and_raises(subject: Subject) -> None:
    async with subject.receiver() as server:
        server.fail("hang")
        channel = subject.open(server.url)
        sending = asyncio.create_task(channel.send(a_delivery()))
        await server.wait_for_events(1)

        sending.cancel()

        with pytest.raises(asyncio.CancelledError):
            await sending
        await channel.close()


@each_http_channel
async def test_many_deliveries_at_once_all_arrive(subject: Subject) -> None:
    async with subject.receiver() as server:
        channel = subject.open(server.url)

        attempts = await asyncio.gather(*(channel.send(a_delivery()) for _ in range(50)))
        await channel.close()

        assert all(isinstance(attempt, Sent) for attempt in attempts)
        assert server.triggers == 50
        assert len(server.open_keys) == 1


@each_http_channel
async def test_an_attempt_made_again_says_the_same(subject: Subject) -> None:
    async with subject.receiver() as server:
        server.fail("accept_then_reset")
        channel = subject.open(server.url)
        attempts = [await channel.send(a_delivery()) for _ in range(2)]
        await channel.close()

        assert [type(attempt) for attempt in attempts] == [Retry, Sent]
        assert server.triggers == 2
        assert len(server.open_keys) == 1


@each_channel
async def test_a_rehearsal_opens_and_resolves_what_says_that_it_is_a_test(
    subject: Subject,
) -> None:
    async with subject.receiver() as server:
        channel = subject.open(server.url)
        answers = await tried(channel)
        await channel.close()

        assert [(one["action"], one["outcome"]) for one in answers] == [
            ("trigger", "sent"),
            ("resolve", "sent"),
        ]
        if subject in HTTP_CHANNELS:
            assert (server.triggers, server.resolves) == (1, 1)
            assert server.open_keys == set()


@each_http_channel
async def test_a_channel_added_at_run_time_does_not_reach_this_machine(subject: Subject) -> None:
    async with subject.receiver() as server:
        settings = subject.settings(server.url)
        for guard, kind in ((AddressGuard(), Misconfigured), (AddressGuard(["127.0.0.1"]), Sent)):
            clock = SystemClock()  # a signature is only good for the true time
            channel = open_channel(settings, clock=clock, guard=guard)
            attempt = await channel.send(a_delivery())
            await channel.close()

            assert isinstance(attempt, kind)
            assert subject.secret not in words_of(attempt)
        assert server.triggers == 1


@each_channel
def test_a_channel_documents_the_limits_of_its_vendor(subject: Subject) -> None:
    channel = open_channel(subject.settings("http://127.0.0.1:9/"), clock=HandClock())
    said = inspect.getdoc(inspect.getmodule(type(channel))) or ""

    assert "\nLimits\n------\n" in said
    assert subject not in HTTP_CHANNELS or "``rate_limit``" in said


@each_channel
async def test_a_severity_map_changes_what_is_told_and_nothing_else(subject: Subject) -> None:
    class Listening:
        name, key_fingerprint = "on-call", ""

        async def send(self, delivery: Delivery) -> Attempt:
            told.append(delivery)
            return Sent()

        async def close(self) -> None:
            pass

    told: list[Delivery] = []
    settings = subject.settings("http://127.0.0.1:9/").model_copy(
        update={"severity_map": {"critical": "warning"}}
    )
    opened = open_channel(settings, clock=HandClock())
    mapped = SeverityMapped(Listening(), settings.severity_map.items())
    trigger = a_delivery()

    await mapped.send(trigger)
    await mapped.send(its_resolve(a_delivery(an_incident(severity=Severity.ERROR))))
    await mapped.close()

    assert isinstance(opened, SeverityMapped)
    assert opened.name == "on-call"
    assert subject.secret not in repr(opened) or not subject.secret
    assert [one.incident.severity for one in told] == [Severity.WARNING, Severity.ERROR]
    assert told[0] == replace(
        trigger, incident=replace(trigger.incident, severity=Severity.WARNING)
    )


def test_the_table_of_outcomes_meets_every_kind_of_attempt() -> None:
    assert {outcome.expected for outcome in OUTCOMES} == {Sent, Retry, Rejected, Misconfigured}
