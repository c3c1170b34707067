"""What every store finds: filters, orders, pages, relations, messages."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.core.deliveries import Action, Changes, DeliveryStatus
from playwatch.core.incidents import Incident, Status
from playwatch.core.listings import IncidentQuery, Notice, Ranking
from playwatch.core.rules import AlertType, Severity
from playwatch.ports import AttemptRecord
from tests.kit.stores import T0, a_delivery, an_incident, memory_store, sqlite_store

if TYPE_CHECKING:
    from playwatch.ports import Store

RULES, METRICS = ("failures", "startup"), ("playback_failure_percentage", "video_startup_time")


async def found_ids(store: Store, query: IncidentQuery) -> list[str]:
    return [one.id for one in (await store.found(query)).incidents]


async def test_a_page_out_of_range_is_empty_and_still_knows_how_many(store: Store) -> None:
    await store.commit(Changes([an_incident(str(n), opened_at=T0 + n) for n in range(5)]))

    first = await store.found(IncidentQuery(limit=2))
    assert ([one.id for one in first.incidents], first.total) == (["4", "3"], 5)
    beyond = await store.found(IncidentQuery(limit=2, offset=1000))
    assert (list(beyond.incidents), beyond.total) == ([], 5)
    none = await store.found(IncidentQuery(rule="unknown", offset=9))
    assert (list(none.incidents), none.total) == ([], 0)


async def test_dimensions_must_all_be_there(store: Store) -> None:
    await store.commit(
        Changes(
            [
                an_incident("a", breakdowns=(("country", "DE"), ("cdn", "x"))),
                an_incident("b", breakdowns=(("country", "DE"),), opened_at=T0 - 1),
                an_incident("c", breakdowns=()),
            ]
        )
    )

    assert await found_ids(store, IncidentQuery(dimensions=(("country", "DE"),))) == ["a", "b"]
    both = IncidentQuery(dimensions=(("cdn", "x"), ("country", "DE")))
    assert await found_ids(store, both) == ["a"]
    assert await found_ids(store, IncidentQuery(dimensions=(("DE", "country"),))) == []


async def test_time_means_that_the_incident_lasted_then(store: Store) -> None:
    ended = an_incident("ended", opened_at=T0).ended(
        Status.CLOSED, reason="", resolved_at=T0 + 5, ended_at=T0 + 10, value=None
    )
    await store.commit(Changes([ended, an_incident("open", opened_at=T0 + 100)]))

    assert await found_ids(store, IncidentQuery(begin_at=T0 + 11)) == ["open"]
    assert await found_ids(store, IncidentQuery(end_at=T0 + 100)) == ["ended"]
    assert await found_ids(store, IncidentQuery(begin_at=T0 + 10, end_at=T0 + 101)) == [
        "open",
        "ended",
    ]


async def test_a_search_finds_all_of_its_words_wherever_they_stand(store: Store) -> None:
    facts = [
        ("a", "failures", "7 % of views fail in München", (("cdn", "x_y"), ("city", "MÜNCHEN"))),
        ("b", "failures", "7 % of views fail", (("cdn", "xzy"), ("city", "Köln"))),
        ("c", "Straße", "100% gone\nand back", ()),
    ]
    await store.commit(
        Changes(
            [
                an_incident(name, rule=rule, summary=said, breakdowns=group, opened_at=T0 - number)
                for number, (name, rule, said, group) in enumerate(facts)
            ]
        )
    )

    for text, expected in (
        ("münchen", ["a"]),
        ("FAIL  cdn", ["a", "b"]),
        ("x_y", ["a"]),
        ("x%y", []),
        ("0%", ["c"]),
        ("strasse", ["c"]),
        ("back 100%", ["c"]),
        ("views köln", ["b"]),
        ("views gone", []),
        ("playback_failure_percentage", ["a", "b", "c"]),
        (" \u2003\n", ["a", "b", "c"]),
        ("'); DROP TABLE incidents --", []),
    ):
        assert await found_ids(store, IncidentQuery(text=text)) == expected, text
        total = (await store.found(IncidentQuery(text=text, limit=1))).total
        assert total == len(expected), text


async def test_a_search_looks_at_what_an_incident_says_now(store: Store) -> None:
    first = an_incident(summary="warning in DE")
    await store.commit(Changes([first]))
    later = replace(first, summary="critical in DE").ended(
        Status.CLOSED, reason="", resolved_at=T0 + 5, ended_at=T0 + 10, value=None
    )
    await store.commit(Changes([later]))

    assert await found_ids(store, IncidentQuery(text="warning")) == []
    assert await found_ids(store, IncidentQuery(text="critical", is_ended=True)) == ["a"]


async def test_what_ended_is_closed_or_expired_and_paged_past_what_is_open(store: Store) -> None:
    statuses = [Status.OPEN, Status.CLOSED, Status.OPEN, Status.EXPIRED, Status.CLOSED]
    await store.commit(
        Changes(
            [an_incident(str(n), status=one, opened_at=T0 - n) for n, one in enumerate(statuses)]
        )
    )

    page = await store.found(IncidentQuery(is_ended=True, limit=2))
    assert ([one.id for one in page.incidents], page.total) == (["1", "3"], 3)
    assert await found_ids(store, IncidentQuery(is_ended=True, limit=2, offset=2)) == ["4"]
    assert await found_ids(store, IncidentQuery(is_ended=True, status=Status.OPEN)) == []


async def test_related_are_the_same_group_and_what_went_wrong_with_it(store: Store) -> None:
    def lasting(name: str, begin: int, end: int, **facts: object) -> Incident:
        made = an_incident(name, opened_at=T0 + begin, incident_key=f"key-{name}", **facts)
        return made.ended(
            Status.CLOSED, reason="", resolved_at=T0 + end, ended_at=T0 + end, value=None
        )

    this = lasting("this", 100, 200)
    await store.commit(
        Changes(
            [
                this,
                replace(lasting("before", 0, 50), incident_key=this.incident_key),
                lasting("same-metric", 150, 300, breakdowns=(("cdn", "x"),)),
                lasting("same-country", 200, 300, measurement="views"),
                lasting("stranger", 150, 160, measurement="views", breakdowns=(("cdn", "x"),)),
                lasting("too-late", 201, 300),
                lasting("too-early", 10, 99),
            ]
        )
    )

    query = IncidentQuery(related_to="this")
    assert await found_ids(store, query) == ["same-country", "same-metric", "before"]
    assert (await store.found(replace(query, limit=1))).total == 3
    assert await found_ids(store, IncidentQuery(related_to="unknown")) == []


async def test_a_message_keeps_its_number_and_tells_its_last_attempt(store: Store) -> None:
    first, second = an_incident("a"), an_incident("b")
    trigger, other = a_delivery(first), a_delivery(second)
    resolve = a_delivery(first, Action.RESOLVE, created_at=T0 + 60_000)
    await store.commit(Changes([first, second], [trigger, other]))
    await store.commit(Changes([], [resolve]))
    sent = replace(trigger, attempts=2, status=DeliveryStatus.SENT)
    await store.record(
        [AttemptRecord(sent, T0 + 5, 1.0, "retry"), AttemptRecord(sent, T0 + 9, 1.0, "sent")]
    )

    assert await store.notices(["a"]) == [
        Notice(1, "a", "oncall", T0, T0 + 9),
        Notice(3, "a", "oncall", T0 + 60_000, None),
    ]
    assert await store.notices([]) == []


def _facts() -> st.SearchStrategy[list[Incident]]:
    pairs = st.sampled_from([(), (("country", "DE"),), (("country", "DE"), ("cdn", "x"))])
    one = st.builds(
        an_incident,
        name=st.sampled_from("abcdefgh"),
        rule=st.sampled_from(RULES),
        measurement=st.sampled_from(METRICS),
        alert_type=st.sampled_from(AlertType),
        status=st.sampled_from(Status),
        severity=st.sampled_from(Severity),
        breakdowns=pairs,
        summary=st.sampled_from(["", "Großer Fehler", "GROSSER fehler\nin İzmir", "a%b_c"]),
        measured_value=st.sampled_from([1.0, 2.5, math.nan, math.inf]),
        affected_viewers=st.integers(0, 3),
        window_s=st.sampled_from([60.0, 3600.0, math.nan, 0.0]),
        opened_at=st.integers(T0, T0 + 5),
        ended_at=st.none() | st.integers(T0 + 3, T0 + 9),
    )
    return st.lists(one, max_size=8, unique_by=lambda incident: incident.id)


def _queries() -> st.SearchStrategy[IncidentQuery]:
    return st.builds(
        IncidentQuery,
        status=st.none() | st.sampled_from(Status),
        rule=st.none() | st.sampled_from(RULES),
        limit=st.integers(0, 4),
        offset=st.integers(0, 4),
        alert_type=st.none() | st.sampled_from(AlertType),
        severities=st.none() | st.frozensets(st.sampled_from(Severity)),
        metric=st.none() | st.sampled_from(METRICS),
        dimensions=st.sampled_from([(), (("country", "DE"),), (("cdn", "x"), ("country", "DE"))]),
        begin_at=st.none() | st.integers(T0, T0 + 9),
        end_at=st.none() | st.integers(T0, T0 + 9),
        related_to=st.none() | st.sampled_from("abcdefgh"),
        ranking=st.sampled_from(Ranking),
        is_ascending=st.booleans(),
        is_ended=st.booleans(),
        text=st.sampled_from(
            [
                "",
                "  ",
                "fehler",
                "GROẞER",
                "izmir",
                "fehler izmir",
                "%",
                "_c",
                "de",
                "startup",
                "a b",
            ]
        ),
    )


@settings(max_examples=25, deadline=None)
@given(_facts(), st.lists(_queries(), min_size=1, max_size=8))
async def test_both_stores_find_the_same(
    incidents: list[Incident], queries: list[IncidentQuery]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with sqlite_store(Path(folder)) as one, memory_store(Path(folder)) as other:
            for store in (one, other):
                await store.commit(Changes(incidents))
            for query in queries:
                mine, theirs = await one.found(query), await other.found(query)
                assert [each.id for each in mine.incidents] == [
                    each.id for each in theirs.incidents
                ]
                assert mine.total == theirs.total
