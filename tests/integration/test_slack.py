from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.channels import fingerprint
from playwatch.channels.slack import SlackChannel
from playwatch.core.deliveries import Misconfigured, Rejected, Retry, Sent
from playwatch.core.rules import Severity
from tests.fakes import HandClock
from tests.kit.channels import (
    PATIENT,
    SILENCE,
    SLACK_PATH,
    a_delivery,
    an_incident,
    its_resolve,
    slack_settings,
    words_of,
)
from tests.kit.receivers import HookReceiver, read_slack

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwatch.core.deliveries import Attempt, Delivery

TOKEN = SLACK_PATH.rpartition("/")[2]


def workspace() -> HookReceiver:
    return HookReceiver(read_slack)


SHORTENED = replace(a_delivery(), is_shortened=True)


async def sent(
    url: str,
    *deliveries: Delivery,
    page_url: str = "https://example.com/",
    key_of: Callable[[str], str | None] = lambda _: None,
) -> Attempt:
    """Return what became of the last of these deliveries."""
    channel = SlackChannel(
        slack_settings(url + SLACK_PATH),
        clock=HandClock(),
        page_url=page_url,
        key_of=key_of,
        limits=PATIENT,
    )
    attempts = [await channel.send(delivery) for delivery in deliveries or (a_delivery(),)]
    await channel.close()
    return attempts[-1]


async def test_the_opening_and_the_end_are_two_messages() -> None:
    trigger = a_delivery()
    async with workspace() as server:
        assert await sent(server.url, trigger, its_resolve(trigger)) == Sent("200 ok")
        first, second = (heard.document for heard in server.journal)

        assert {heard.path for heard in server.journal} == {f"/hook{SLACK_PATH}"}
    said = (
        "Playback failure percentage 7.4 % (&gt; 5) in country=DE, cdn=fastly:"
        " 74 of 1,000 views affected"
    )
    assert first["text"] == f"🔴 Critical: playback-failures: {said}"
    assert second["text"] == (
        f"✅ Resolved: playback-failures: recovered after 10 min 0 s - was: {said}"
    )
    assert [field["text"] for field in first["blocks"][1]["fields"]] == [
        "Metric: playback_failure_percentage",
        "Value: 7.4 %",
        "Bound: &gt; 5",
        "Worst: 9.1 %",
        "Views: 74 of 1,000 affected",
        "Where: country=DE, cdn=fastly",
        "Severity: critical",
    ]
    assert first["blocks"][2]["elements"] == [
        {
            "type": "plain_text",
            "text": "threshold · playwatch/a1b2c3d4e5f6",
            "emoji": False,
        },
        {
            "type": "mrkdwn",
            "text": (
                "<https://example.com/incidents/a1b2c3d4e5f6|Incident>"
                " · <https://example.com/runbooks/playback-failures|Runbook>"
            ),
        },
    ]


async def test_what_metrics_are_called_neither_mentions_nor_formats() -> None:
    hostile = an_incident(
        breakdowns=(("video_title", "<!channel> *now* & <https://evil.example|click> `x`"),),
        rule="<@U012AB3CD>",
        runbook="https://example.com/a?b=1&c=<x>|y",
    )
    async with workspace() as server:
        assert await sent(server.url, a_delivery(hostile)) == Sent("200 ok")
        message = server.journal[0].document

    assert message["mrkdwn"] is False
    everything = str(message)
    assert "<!channel>" not in everything
    assert "<@U" not in everything
    assert "&lt;!channel&gt; *now* &amp;" in everything
    formatted = [
        element["text"]
        for element in message["blocks"][2]["elements"]
        if element["type"] == "mrkdwn"
    ]
    assert "https://example.com/a?b=1&amp;c=%3Cx%3E%7Cy|Runbook" in formatted[0]


@pytest.mark.parametrize("letter", ["x", "&", "<", "é", "👩‍👩‍👧‍👦"])
async def test_endless_texts_stay_within_the_limits(letter: str) -> None:
    long = letter * 20_000
    incident = an_incident(
        summary=long, rule=long, measurement=long, bound=long, unit=long, reason=long
    )
    trigger = a_delivery(incident)
    async with workspace() as server:
        for delivery in (trigger, its_resolve(trigger)):
            assert await sent(server.url, delivery) == Sent("200 ok")


@pytest.mark.parametrize(
    ("severity", "mark"),
    [
        (Severity.CRITICAL, "🔴"),
        (Severity.ERROR, "🟠"),
        (Severity.WARNING, "🟡"),
        (Severity.INFO, "🔵"),
    ],
)
async def test_each_severity_has_its_mark(severity: Severity, mark: str) -> None:
    async with workspace() as server:
        await sent(server.url, a_delivery(an_incident(severity=severity)), page_url="")

        assert server.journal[0].document["text"].startswith(mark)


@pytest.mark.parametrize(
    ("status", "word", "advice"),
    [
        (403, "invalid_token", "make a new incoming webhook"),
        (404, "no_service", "make a new incoming webhook"),
        (404, "no_team", "workspace is gone"),
        (404, "channel_not_found", "channel is gone"),
        (410, "channel_is_archived", "archived"),
        (403, "action_prohibited", "administrator"),
        (400, "user_not_found", "person who is gone"),
        (403, "some_new_word", "make a new incoming webhook"),
    ],
)
async def test_what_no_message_can_help_waits_for_the_operator(
    status: int, word: str, advice: str
) -> None:
    async with workspace() as server:
        server.fail("status", status=status, body=word, times=None)
        attempt = await sent(server.url)

        assert server.requests == 1
    assert isinstance(attempt, Misconfigured)
    assert word in attempt.reason
    assert advice in attempt.reason


@pytest.mark.parametrize("word", ["invalid_payload", "invalid_blocks", "no_text"])
async def test_a_message_called_invalid_may_pass_as_plain_text(word: str) -> None:
    async with workspace() as server:
        server.fail("status", status=400, body=word)
        refused = await sent(server.url)
        attempt = await sent(server.url, SHORTENED)
        second = server.journal[1].document

    assert isinstance(refused, Rejected)
    assert f"refused it: 400 {word}" in refused.reason
    assert attempt == Sent("200 ok (as plain text)")
    assert second.keys() == {"text", "mrkdwn"}


async def test_a_message_refused_as_plain_text_says_so() -> None:
    async with workspace() as server:
        server.fail("status", status=400, body="invalid_payload")
        attempt = await sent(server.url, SHORTENED)

        assert server.requests == 1
    assert isinstance(attempt, Rejected)
    assert "shortest form of it: 400 invalid_payload" in attempt.reason


async def test_slack_asks_for_a_pause() -> None:
    async with workspace() as server:
        server.fail("status", status=429, body="rate_limited", headers={"Retry-After": "30"})
        attempt = await sent(server.url)

    assert attempt == Retry(
        f"{server.url.split('/')[2]} answered 429 rate_limited", 30.0, is_rate_limit=True
    )


async def test_trouble_at_slack_passes() -> None:
    async with workspace() as server:
        server.fail("status", status=500, body="rollup_error")

        assert isinstance(await sent(server.url), Retry)


async def test_the_end_is_posted_where_the_opening_was() -> None:
    async with workspace() as before, workspace() as after:
        former = before.url + SLACK_PATH
        trigger = a_delivery(key_fingerprint=fingerprint(former))
        await sent(after.url, its_resolve(trigger), key_of={fingerprint(former): former}.get)

        assert (before.resolves, after.requests) == (1, 0)


@pytest.mark.parametrize(("status", "word"), [(404, "no_service"), (410, "channel_is_archived")])
async def test_a_former_webhook_that_was_revoked_does_not_hold_the_queue(
    status: int, word: str
) -> None:
    async with workspace() as before, workspace() as after:
        before.fail("status", status=status, body=word, times=None)
        former = before.url + SLACK_PATH
        trigger = a_delivery(key_fingerprint=fingerprint(former))
        attempt = await sent(
            after.url, its_resolve(trigger), key_of={fingerprint(former): former}.get
        )

        assert after.resolves == 1
    assert isinstance(attempt, Sent)
    assert "to the present url" in attempt.answer


@pytest.mark.parametrize("kind", ["reset", "hang", "garbage", "redirect", "html"])
async def test_the_url_is_never_told(kind: str) -> None:
    async with workspace() as server:
        server.fail(kind, location="/elsewhere") if kind == "redirect" else server.fail(kind)
        channel = SlackChannel(
            slack_settings(server.url + SLACK_PATH), clock=HandClock(), limits=SILENCE
        )
        attempt = await channel.send(a_delivery())
        await channel.close()

    told = f"{words_of(attempt)} {channel!r} {channel.endpoint} {channel.key_fingerprint}"
    assert TOKEN not in told
    assert "services" not in told
