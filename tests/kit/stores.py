"""The stores that the conformance kit judges, and facts to put into them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from playwatch.core.deliveries import Action, Delivery
from playwatch.core.incidents import Incident, Status
from playwatch.core.rules import AlertType, Severity
from playwatch.store.memory import MemoryStore
from playwatch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from playwatch.ports import Store

    StoreMaker = Callable[[Path], AbstractAsyncContextManager[Store]]

T0: Final = 1_800_000_000_000


@asynccontextmanager
async def sqlite_store(folder: Path) -> AsyncIterator[Store]:
    store = await SqliteStore.open(folder / "playwatch.db")
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def memory_store(_folder: Path) -> AsyncIterator[Store]:
    yield MemoryStore()


STORES: Final[dict[str, StoreMaker]] = {"sqlite": sqlite_store, "memory": memory_store}
"""A new store joins the kit here."""


def an_incident(name: str = "a", **changes: Any) -> Incident:  # noqa: ANN401 - any field of an incident
    facts: dict[str, Any] = {
        "id": name,
        "incident_key": f"key-{name}",
        "rule": "playback-failures",
        "scope": "0123456789abcdef",
        "alert_type": AlertType.THRESHOLD,
        "status": Status.OPEN,
        "severity": Severity.CRITICAL,
        "measurement": "playback_failure_percentage",
        "unit": "%",
        "breakdowns": (("country", "DE"),),
        "measured_value": 6.5,
        "peak_value": 7.25,
        "threshold": 5.0,
        "bound": "> 5",
        "sample_size": 1000,
        "affected_viewers": 65,
        "started_at": T0 - 120_000,
        "opened_at": T0,
        "window_s": 60.0,
    }
    return Incident(**{**facts, **changes})


def a_delivery(
    incident: Incident,
    action: Action = Action.TRIGGER,
    channel: str = "oncall",
    **changes: Any,  # noqa: ANN401 - any field of a delivery
) -> Delivery:
    facts: dict[str, Any] = {
        "id": f"{incident.id}/{channel}/{action.value}",
        "incident": incident,
        "channel": channel,
        "key_fingerprint": "f00d",
        "action": action,
        "dedup_key": incident.dedup_key,
        "created_at": T0,
    }
    return Delivery(**{**facts, **changes})


_times = st.integers(0, 2**53)
_texts = st.text(max_size=12)
_numbers = st.floats(allow_nan=True, allow_infinity=True)


def incidents() -> st.SearchStrategy[Incident]:
    """Incidents with any facts that their types allow."""
    return st.builds(
        Incident,
        id=_texts,
        incident_key=_texts,
        rule=_texts,
        scope=_texts,
        alert_type=st.sampled_from(AlertType),
        status=st.sampled_from(Status),
        severity=st.sampled_from(Severity),
        measurement=_texts,
        unit=_texts,
        breakdowns=st.lists(st.tuples(_texts, _texts), max_size=3).map(tuple),
        measured_value=_numbers,
        peak_value=_numbers,
        threshold=_numbers,
        bound=_texts,
        sample_size=_times,
        affected_viewers=_times,
        started_at=_times,
        opened_at=_times,
        window_s=_numbers,
        summary=_texts,
        runbook=_texts,
        expected_low=st.none() | _numbers,
        expected_high=st.none() | _numbers,
        measured_value_on_close=st.none() | _numbers,
        resolved_at=st.none() | _times,
        ended_at=st.none() | _times,
        reason=_texts,
    )
