"""What every store must do, asked of each."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.deliveries import Action, Changes, Delivery, DeliveryStatus
from playwatch.core.incidents import Status
from playwatch.core.listings import IncidentQuery
from playwatch.core.rules import Severity
from playwatch.errors import StoreError
from playwatch.ports import AttemptRecord
from tests.kit.stores import T0, a_delivery, an_incident, memory_store, sqlite_store

if TYPE_CHECKING:
    from playwatch.ports import Store


def ended(delivery: Delivery, at: int = T0 + 1, outcome: str = "sent") -> AttemptRecord:
    return AttemptRecord(delivery, at, 12.5, outcome, "202 Accepted")


def sent(delivery: Delivery) -> AttemptRecord:
    return ended(replace(delivery, attempts=1, status=DeliveryStatus.SENT))


async def due_ids(store: Store, *, now_at: int = T0, busy: set[str] | None = None) -> list[str]:
    return [each.id for each in await store.due("oncall", now_at, 100, busy or set())]


async def test_what_was_committed_is_read_back_whole(store: Store) -> None:
    incident = an_incident(expected_low=-1.5, runbook="https://example.com/é", reason="x\0y")
    delivery = a_delivery(incident, attempts=2, not_before_at=T0 - 5, reason="timed out")

    await store.commit(Changes([incident], [delivery]))

    story = await store.incident(incident.id)
    assert story is not None
    assert incident == story.incident
    assert [delivery] == list(story.deliveries)
    assert [delivery] == await store.due("oncall", T0, 10, set())


async def test_a_later_state_replaces_an_incident(store: Store) -> None:
    first = an_incident()
    last = first.ended(Status.CLOSED, reason="", resolved_at=T0, ended_at=T0 + 9, value=1.0)
    await store.commit(Changes([first]))

    await store.commit(Changes([replace(first, peak_value=99.0), last]))

    assert [last] == await store.incidents(IncidentQuery())
    assert await store.open_incidents() == []


async def test_open_incidents_come_oldest_first(store: Store) -> None:
    old, new = an_incident("old", opened_at=T0 - 1), an_incident("new")
    expired = an_incident("gone", status=Status.EXPIRED)

    await store.commit(Changes([new, old, expired]))

    assert [old, new] == await store.open_incidents()


async def test_a_delivery_decided_again_is_not_stored_again(store: Store) -> None:
    incident = an_incident()
    delivery = a_delivery(incident)
    assert await store.commit(Changes([incident], [delivery])) is True
    await store.record([sent(delivery)])

    again = replace(delivery, key_fingerprint="other")
    resolve = a_delivery(incident, Action.RESOLVE)
    assert await store.commit(Changes([incident], [again])) is False
    assert await store.commit(Changes([incident], [again, resolve])) is False
    await store.record([sent(resolve)])

    assert await due_ids(store) == []
    (kept,) = await store.routed([incident.id])
    assert kept.key_fingerprint == "f00d"


async def test_a_delivery_keeps_the_facts_of_its_decision(store: Store) -> None:
    incident = an_incident()
    await store.commit(Changes([incident], [a_delivery(incident)]))

    await store.commit(Changes([replace(incident, peak_value=99.0)]))

    (delivery,) = await store.due("oncall", T0, 10, set())
    assert incident == delivery.incident


async def test_a_delivery_without_its_incident_is_refused_and_nothing_is_kept(store: Store) -> None:
    stray = a_delivery(an_incident("stray"))

    with pytest.raises(StoreError):
        await store.commit(Changes([an_incident("b")], [stray]))

    assert await store.incident("b") is None
    await store.commit(Changes([an_incident("b")]))


async def test_two_openings_never_share_an_id(store: Store) -> None:
    incident = an_incident()
    await store.commit(Changes([incident]))

    with pytest.raises(StoreError, match="id of another one"):
        await store.commit(Changes([an_incident("b"), replace(incident, opened_at=T0 + 1)]))

    assert [incident] == await store.incidents(IncidentQuery())


async def test_an_empty_commit_and_an_empty_record_do_nothing(store: Store) -> None:
    await store.commit(Changes())
    await store.record([])

    assert await store.incidents(IncidentQuery()) == []


async def test_triggers_come_first_by_severity_then_by_age(store: Store) -> None:
    warning = an_incident("w", severity=Severity.WARNING)
    old, new, twin = (an_incident(name) for name in ("old", "new", "twin"))
    ending = an_incident("ending")
    await store.commit(
        Changes(
            [warning, new, old, twin, ending],
            [
                a_delivery(ending, Action.RESOLVE, created_at=T0 - 99),
                a_delivery(warning, created_at=T0 - 50),
                a_delivery(new, created_at=T0),
                a_delivery(twin, created_at=T0),
                a_delivery(old, created_at=T0 - 1),
            ],
        )
    )

    order = [each.incident_id for each in await store.due("oncall", T0, 100, set())]

    assert order == ["old", "new", "twin", "w", "ending"]
    assert [each.incident_id for each in await store.due("oncall", T0, 2, set())] == ["old", "new"]
    assert await store.due("oncall", T0, 0, set()) == []


@pytest.mark.parametrize("end", [DeliveryStatus.SENT, DeliveryStatus.DEAD])
async def test_a_resolve_waits_for_the_end_of_its_trigger(
    store: Store, end: DeliveryStatus
) -> None:
    incident = an_incident()
    trigger, resolve = a_delivery(incident), a_delivery(incident, Action.RESOLVE)
    await store.commit(Changes([incident], [trigger, resolve]))

    assert await due_ids(store) == [trigger.id]
    await store.record([ended(replace(trigger, attempts=1, status=end))])

    assert await due_ids(store) == [resolve.id]


async def test_a_resolve_waits_while_its_trigger_backs_off(store: Store) -> None:
    incident = an_incident()
    trigger, resolve = a_delivery(incident), a_delivery(incident, Action.RESOLVE)
    await store.commit(Changes([incident], [trigger, resolve]))
    await store.record([ended(replace(trigger, attempts=1, not_before_at=T0 + 500))])

    assert await due_ids(store, now_at=T0 + 499) == []
    assert await store.next_due_at("oncall", set()) == T0 + 500
    assert await due_ids(store, now_at=T0 + 500) == [trigger.id]


async def test_a_busy_delivery_holds_its_incident_back_and_no_other(store: Store) -> None:
    a, b = an_incident("a"), an_incident("b")
    busy = a_delivery(a)
    await store.commit(
        Changes(
            [a, b],
            [busy, a_delivery(a, Action.RESOLVE), a_delivery(b), a_delivery(a, channel="log")],
        )
    )

    assert await due_ids(store, busy={busy.id}) == ["b/oncall/trigger"]
    (other,) = await store.due("log", T0, 10, {busy.id})
    assert other.incident_id == "a"

    # Recorded but not yet out of the hands of its sender: still busy.
    await store.record([sent(busy)])
    assert await due_ids(store, busy={busy.id}) == ["b/oncall/trigger"]
    assert await due_ids(store) == ["b/oncall/trigger", "a/oncall/resolve"]


async def test_channels_do_not_see_each_other(store: Store) -> None:
    incident = an_incident()
    await store.commit(Changes([incident], [a_delivery(incident, channel="log")]))

    assert await due_ids(store) == []
    assert await store.next_due_at("oncall", set()) is None
    assert len(await store.due("log", T0, 10, set())) == 1


async def test_the_next_due_time_is_that_of_the_earliest_queue(store: Store) -> None:
    a, b = an_incident("a"), an_incident("b")
    first, second = a_delivery(a, not_before_at=T0 + 7), a_delivery(b, not_before_at=T0 + 9)
    await store.commit(Changes([a, b], [second, first, a_delivery(b, Action.RESOLVE)]))

    assert await store.next_due_at("oncall", set()) == T0 + 7
    assert await store.next_due_at("oncall", {first.id}) == T0 + 9
    assert await store.next_due_at("oncall", {first.id, second.id}) is None


async def test_the_story_of_an_incident_has_every_attempt_in_order(store: Store) -> None:
    incident = an_incident()
    trigger = a_delivery(incident)
    log = a_delivery(incident, channel="log")
    await store.commit(Changes([incident], [trigger, log]))
    tried = replace(trigger, attempts=1, not_before_at=T0 + 5, reason="503")
    done = replace(tried, attempts=2, status=DeliveryStatus.SENT, reason="")
    records = [ended(tried, T0 + 1, "retry"), sent(log), ended(done, T0 + 6)]

    await store.record(records[:2])
    await store.record(records[2:])

    story = await store.incident(incident.id)
    assert story is not None
    assert records == list(story.attempts)
    assert [done, records[1].delivery] == list(story.deliveries)
    assert await store.incident("unknown") is None


async def test_an_attempt_at_an_unknown_delivery_is_refused_with_its_company(store: Store) -> None:
    incident = an_incident()
    known = a_delivery(incident)
    await store.commit(Changes([incident], [known]))

    with pytest.raises(StoreError):
        await store.record([sent(known), sent(a_delivery(incident, channel="gone"))])

    assert await due_ids(store) == [known.id]


async def test_an_attempt_changes_the_state_of_a_delivery_and_nothing_else(store: Store) -> None:
    incident = an_incident()
    trigger = a_delivery(incident)
    await store.commit(Changes([incident], [trigger]))

    await store.record([ended(replace(trigger, attempts=3, dedup_key="other", reason="503"))])

    assert [replace(trigger, attempts=3, reason="503")] == await store.routed([incident.id])


@pytest.mark.parametrize(
    ("changes", "outcome", "is_in_doubt"),
    [
        ({}, "ambiguous", True),
        ({}, "retry", False),
        ({"action": Action.RESOLVE}, "ambiguous", False),
        ({"channel": "other"}, "ambiguous", False),
    ],
)
async def test_only_a_trigger_of_the_channel_without_an_answer_is_in_doubt_until_its_end_is_told(
    store: Store, changes: dict[str, Any], outcome: str, *, is_in_doubt: bool
) -> None:
    incident = an_incident()
    tried = a_delivery(incident, **{"dedup_key": "its key", **changes})
    await store.commit(Changes([incident], [tried]))
    await store.record([ended(tried, outcome=outcome), sent(tried)])
    expected = {"its key"} if is_in_doubt else set()
    assert await store.in_doubt("oncall") == expected

    end = a_delivery(incident, Action.RESOLVE, id="the end")
    closed = incident.ended(
        Status.CLOSED, reason="well", resolved_at=T0, ended_at=incident.opened_at, value=None
    )
    await store.commit(Changes([closed], [end]))
    assert await store.in_doubt("oncall") == expected
    await store.record([sent(end)])
    assert await store.in_doubt("oncall") == set()


async def test_routed_returns_triggers_whatever_became_of_them(store: Store) -> None:
    a, b, c = an_incident("a"), an_incident("b"), an_incident("c")
    triggers = [a_delivery(a), a_delivery(a, channel="log"), a_delivery(b)]
    await store.commit(
        Changes([a, b, c], [*triggers, a_delivery(a, Action.RESOLVE), a_delivery(c)])
    )
    gone = replace(triggers[1], attempts=1, status=DeliveryStatus.DEAD, reason="400")
    await store.record([ended(gone, outcome="rejected")])

    assert [triggers[0], gone, triggers[2]] == await store.routed(["b", "a", "unknown"])
    assert await store.routed([]) == []


async def test_what_is_replayed_begins_anew_and_its_end_comes_after_it(store: Store) -> None:
    incident = an_incident()
    trigger, resolve = a_delivery(incident), a_delivery(incident, Action.RESOLVE)
    await store.commit(Changes([incident], [trigger, resolve]))
    refused = replace(trigger, attempts=2, reason="400", is_shortened=True)
    await store.record([ended(replace(refused, status=DeliveryStatus.DEAD)), sent(resolve)])

    assert await store.replay([trigger.id, resolve.id, "unknown"], T0 + 5) == 1

    again = replace(trigger, attempts=2, created_at=T0 + 5)
    assert await store.due("oncall", T0 + 5, 10, set()) == [again]
    await store.record([sent(again)])
    assert await due_ids(store) == [resolve.id]


async def test_incidents_are_listed_newest_first_by_pages(store: Store) -> None:
    ages = {"e": 3, "d": 1, "c": 2, "b": 2, "a": 0}
    await store.commit(
        Changes([an_incident(name, opened_at=T0 - age) for name, age in ages.items()])
    )

    async def page(limit: int, offset: int) -> list[str]:
        found = await store.incidents(IncidentQuery(limit=limit, offset=offset))
        return [incident.id for incident in found]

    assert await page(100, 0) == ["a", "d", "b", "c", "e"]
    assert await page(2, 0) == ["a", "d"]
    assert await page(2, 3) == ["c", "e"]
    assert await page(2, 5) == []
    assert await page(0, 0) == []


async def test_incidents_are_listed_by_rule_and_status(store: Store) -> None:
    await store.commit(
        Changes(
            [
                an_incident("a", rule="r"),
                an_incident("b", rule="r", status=Status.CLOSED),
                an_incident("c", rule="s"),
                an_incident("d", rule="s", status=Status.CLOSED),
            ]
        )
    )

    async def ids(query: IncidentQuery) -> set[str]:
        return {incident.id for incident in await store.incidents(query)}

    assert await ids(IncidentQuery(rule="r")) == {"a", "b"}
    assert await ids(IncidentQuery(status=Status.CLOSED)) == {"b", "d"}
    assert await ids(IncidentQuery(rule="s", status=Status.OPEN)) == {"c"}


async def test_letters_come_by_how_they_stand_in_pages(store: Store) -> None:
    incidents = [an_incident(str(number)) for number in range(5)]
    deliveries = [a_delivery(one) for one in incidents]
    await store.commit(Changes(incidents, deliveries))
    dead = replace(deliveries[1], status=DeliveryStatus.DEAD, attempts=1)
    await store.record([AttemptRecord(dead, T0, 1.0, "rejected")])

    every, waiting = set(DeliveryStatus), {DeliveryStatus.PENDING}
    ids = [one.id for one in deliveries]
    assert [one.id for one in await store.letters(every, 2, 1)] == ids[1:3]
    assert [one.id for one in await store.letters(waiting, 9, 1)] == ids[2:]
    assert await store.letters({DeliveryStatus.DEAD}, 9) == [dead]
    assert await store.letters(every, 9, 5) == await store.letters(every, 0) == []


async def test_a_snapshot_replaces_the_one_before(store: Store) -> None:
    assert await store.load_snapshot() is None
    await store.save_snapshot({"windows": b"old", "lifecycle": b"gone"}, T0)

    parts = {"windows": b"\0new", "empty": b"", "large": bytes(range(256)) * 10_000}
    await store.save_snapshot(parts, T0 - 5)

    assert await store.load_snapshot() == (parts, T0 - 5)


async def test_a_snapshot_may_be_empty(store: Store) -> None:
    await store.save_snapshot({"windows": b"old"}, T0)
    await store.save_snapshot({}, T0 + 1)

    assert await store.load_snapshot() == ({}, T0 + 1)


async def test_the_installation_has_one_random_name(store: Store, tmp_path: Path) -> None:
    name = await store.installation()
    other = tmp_path / "other"
    other.mkdir()

    assert await store.installation() == name
    assert len(name) == 16
    async with sqlite_store(other) as second:
        assert await second.installation() != name


class Steps:
    """Random steps against a store, with few names so that they meet."""

    incident = st.builds(
        lambda number, severity, status, age: an_incident(
            f"i{number}", severity=severity, status=status, opened_at=T0 - number, peak_value=age
        ),
        st.integers(0, 3),
        st.sampled_from(Severity),
        st.sampled_from([Status.OPEN, Status.CLOSED]),
        st.floats(0, 9),
    )
    delivery = st.builds(
        lambda incident, action, channel, age, wait: a_delivery(
            incident, action, channel, created_at=T0 - age, not_before_at=T0 + wait
        ),
        incident,
        st.sampled_from(Action),
        st.sampled_from(["oncall", "log"]),
        st.integers(0, 2),
        st.integers(-1, 2),
    )
    commit = st.builds(
        Changes,
        st.lists(incident, max_size=3),
        st.lists(delivery, max_size=4),
    )
    record = st.lists(
        st.builds(
            lambda delivery, status, outcome, is_shortened: ended(
                replace(delivery, attempts=1, status=status, is_shortened=is_shortened),
                outcome=outcome,
            ),
            delivery,
            st.sampled_from(DeliveryStatus),
            st.sampled_from(["sent", "ambiguous"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    )
    any = st.lists(commit | record, max_size=8)


async def _answers(store: Store, steps: list[Changes | list[AttemptRecord]]) -> list[object]:
    """Return everything that a store can be asked after some steps."""
    seen: list[object] = []
    for step in steps:
        try:
            await (store.commit(step) if isinstance(step, Changes) else store.record(step))
        except StoreError:
            seen.append("refused")
    for channel in ("oncall", "log"):
        for busy in (set[str](), {"i0/oncall/trigger", "i1/log/resolve"}):
            seen += [await store.due(channel, T0, limit, busy) for limit in (1, 50)]
            seen.append(await store.next_due_at(channel, busy))
        seen.append(await store.in_doubt(channel))
    seen.append(await store.routed(["i0", "i1", "i2", "i3"]))
    seen.append(await store.open_incidents())
    seen.append(await store.incidents(IncidentQuery(limit=3)))
    for number in range(4):
        story = await store.incident(f"i{number}")
        seen.append(story and (story.incident, list(story.deliveries), list(story.attempts)))
    return seen


@settings(max_examples=25, deadline=None)
@given(Steps.any)
async def test_every_store_gives_the_same_answers(
    steps: list[Changes | list[AttemptRecord]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with sqlite_store(Path(folder)) as first, memory_store(Path(folder)) as second:
            assert await _answers(second, steps) == await _answers(first, steps)
