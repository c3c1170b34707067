from __future__ import annotations

import io
from dataclasses import replace

import pytest

from playwatch.core.deliveries import Action, Retry, Sent
from playwatch.core.rules import Severity
from playwatch.runtime.dry import DryChannel
from playwatch.runtime.rehearsal import rehearsal, tried
from tests.delivering import Scripted
from tests.kit.stores import a_delivery, an_incident


def test_a_rehearsal_opens_and_ends_an_incident_that_says_it_is_a_test() -> None:
    trigger, resolve = rehearsal(Scripted(name="oncall"))

    assert (trigger.action, resolve.action) == (Action.TRIGGER, Action.RESOLVE)
    assert trigger.dedup_key == resolve.dedup_key
    assert trigger.id != resolve.id
    assert trigger.channel == resolve.channel == "oncall"
    assert trigger.incident.is_open
    assert not resolve.incident.is_open
    assert trigger.incident.severity is Severity.INFO
    assert trigger.incident.summary == "Test of Playwatch channel oncall: no action needed"


def test_two_rehearsals_never_meet() -> None:
    first, second = rehearsal(Scripted())[0], rehearsal(Scripted())[0]

    assert first.dedup_key != second.dedup_key


@pytest.mark.parametrize(("is_ambiguous", "actions"), [(True, 2), (False, 1)])
async def test_a_trigger_that_may_have_arrived_is_followed_by_its_resolve(
    *, is_ambiguous: bool, actions: int
) -> None:
    channel = Scripted(Retry("no answer in time", is_ambiguous=is_ambiguous))

    answers = await tried(channel)

    assert [one["outcome"] for one in answers] == ["retry", "sent"][:actions]


async def test_a_dry_channel_writes_a_line_and_sends_nothing() -> None:
    behind, output = Scripted(name="oncall"), io.StringIO()
    channel = DryChannel(behind, output)

    answer = await channel.send(a_delivery(an_incident(summary="Failures 9 %")))

    assert answer == Sent("dry run")
    assert behind.sent == []
    assert (channel.name, channel.key_fingerprint) == ("oncall", behind.key_fingerprint)
    assert output.getvalue() == (
        "would send trigger to oncall: critical playback-failures: Failures 9 % [playwatch/a]\n"
    )


async def test_a_dry_channel_writes_one_line_whatever_a_publisher_named() -> None:
    output = io.StringIO()
    delivery = a_delivery(an_incident(summary="\x1b[31mred\nnext\u202e"))

    await DryChannel(Scripted(), output).send(replace(delivery, action=Action.RESOLVE))

    (line,) = output.getvalue().splitlines()
    assert (
        line
        == "would send resolve to on-call: critical playback-failures: ?[31mred?next? [playwatch/a]"
    )
