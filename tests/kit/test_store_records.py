"""What every store must keep beside incidents and deliveries, asked of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.core.decisions import Decision, Remark, RemarkKind, told, withheld
from playwatch.core.deliveries import Changes
from playwatch.core.rules import Matcher
from playwatch.core.silences import Silence
from playwatch.errors import StoreError
from tests.kit.stores import T0, an_incident

if TYPE_CHECKING:
    from playwatch.ports import Store


def a_silence(name: str = "s", *, ends_at: int = T0 + 60_000) -> Silence:
    return Silence(
        name,
        (Matcher("country", ("DE", "F*"), ("FI",)), Matcher("cdn", must_be_missing=True)),
        T0,
        ends_at,
        "änn",
        "upgrade",
        T0 - 1,
    )


async def test_a_silence_is_read_back_whole_until_it_has_ended(store: Store) -> None:
    silence = a_silence()
    await store.add_silence(silence)

    assert await store.silences(T0) == [silence]
    assert await store.silences(silence.ends_at - 1) == [silence]
    assert await store.silences(silence.ends_at) == []


async def test_silences_come_in_the_order_they_were_made_and_no_id_twice(store: Store) -> None:
    first, second = a_silence("b"), a_silence("a", ends_at=T0 + 1)
    await store.add_silence(first)
    await store.add_silence(second)
    with pytest.raises(StoreError):
        await store.add_silence(replace(second, author="bob"))

    assert await store.silences(0) == [first, second]


async def test_a_silence_ends_once(store: Store) -> None:
    await store.add_silence(a_silence())

    ended = replace(a_silence(), ends_at=T0 + 5)
    assert await store.end_silence("s", T0 + 5) == ended
    assert await store.end_silence("s", T0 + 9) == ended
    assert await store.silences(0) == [ended]
    assert await store.end_silence("unknown", T0) is None


async def test_a_silence_to_come_that_is_ended_never_begins(store: Store) -> None:
    await store.add_silence(a_silence())

    assert await store.end_silence("s", T0 - 500) == replace(a_silence(), ends_at=T0)


async def test_decisions_are_in_the_story_once_and_in_order(store: Store) -> None:
    incident = an_incident()
    opened = Decision(incident.id, T0, "opened", "critical", 6.5, 1000, "> 5", T0 - 9, "why")
    nothing = Decision(incident.id, T0 + 1, "expired", "critical", float("inf"))
    await store.commit(Changes([incident], decisions=[opened]))
    await store.commit(Changes(decisions=[replace(opened, reason="again"), nothing]))

    story = await store.incident(incident.id)
    assert story is not None
    assert list(story.decisions) == [opened, nothing]


async def test_a_decision_about_an_unknown_incident_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.commit(
            Changes([an_incident("a")], decisions=[Decision("b", T0, "opened", "info")])
        )

    assert await store.incident("a") is None


async def test_the_last_word_says_whether_a_trigger_is_withheld(store: Store) -> None:
    a, b, c = an_incident("a"), an_incident("b"), an_incident("c")
    decisions = [
        withheld(a, T0, "silence"),
        withheld(b, T0, "silence"),
        told(b, T0 + 1),
        Decision("a", T0 + 2, "clearing", "critical"),
    ]
    await store.commit(Changes([a, b, c], decisions=decisions))

    assert await store.withheld(["a", "b", "c", "unknown"]) == {"a"}
    assert await store.withheld([]) == set()


async def test_remarks_are_in_the_story(store: Store) -> None:
    incident = an_incident()
    await store.commit(Changes([incident]))
    said = [
        Remark(incident.id, T0 + 5, RemarkKind.ACKNOWLEDGED, "ann"),
        Remark(incident.id, T0 + 4, RemarkKind.NOTE, "bob", "it is\nthe CDN"),
    ]
    for remark in said:
        await store.add_remark(remark)

    story = await store.incident(incident.id)
    assert story is not None
    assert list(story.remarks) == said
    with pytest.raises(StoreError):
        await store.add_remark(replace(said[0], incident_id="unknown"))
