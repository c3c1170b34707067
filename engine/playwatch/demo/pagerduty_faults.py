"""Ways in which a PagerDuty stand-in can be told to fail."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from playwatch.errors import PlaywatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.demo.event_checks import Event


class FaultKind(Enum):
    """What goes wrong with one request."""

    STATUS = "status"
    """Answer a status, with headers and body as told; not ingested."""
    HANG = "hang"
    """Never answer; not ingested."""
    ACCEPT_THEN_HANG = "accept_then_hang"
    """Ingest, never answer."""
    RESET = "reset"
    """Reset the connection before the answer; not ingested."""
    ACCEPT_THEN_RESET = "accept_then_reset"
    """Ingest, then reset the connection before the answer."""
    RESET_IN_BODY = "reset_in_body"
    """Ingest, answer 202, reset in the middle of the body."""
    SHORT_BODY = "short_body"
    """Ingest, answer 202 with less body than Content-Length says, then close."""
    SLOW_BODY = "slow_body"
    """Ingest, answer 202, never send the body."""
    SLOW_HEADERS = "slow_headers"
    """Send a part of the status line and no more; not ingested."""
    GARBAGE = "garbage"
    """Answer bytes that are not HTTP, then close; not ingested."""
    HTML = "html"
    """Answer 200 with a page, as a login portal does; not ingested."""
    REDIRECT = "redirect"
    """Answer 302 to ``location``; not ingested."""
    CLOSE = "close"
    """Ingest and answer, then close the idle connection."""
    STALE = "stale"
    """Ingest and answer; close that connection when its next request comes."""

    @property
    def is_ingested(self) -> bool:
        """True when the event takes effect all the same."""
        return self in _INGESTED


_INGESTED: Final = frozenset(
    {
        FaultKind.ACCEPT_THEN_HANG,
        FaultKind.ACCEPT_THEN_RESET,
        FaultKind.RESET_IN_BODY,
        FaultKind.SHORT_BODY,
        FaultKind.SLOW_BODY,
        FaultKind.CLOSE,
        FaultKind.STALE,
    }
)


class FaultError(PlaywatchError):
    """The script of faults has a mistake."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault, and which requests it strikes.

    Attributes
    ----------
    kind
        What goes wrong.
    status, headers, body
        The answer of ``status``; its body is PagerDuty's own when empty.
    location
        Where ``redirect`` points.
    times
        How many matching requests it strikes; None for all of them.
    skip
        How many matching requests pass first.
    action, dedup_key, routing_key
        Which requests it strikes; None matches any. A routing key is compared
        by its end.
    """

    kind: FaultKind
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    location: str = ""
    times: int | None = 1
    skip: int = 0
    action: str | None = None
    dedup_key: str | None = None
    routing_key: str | None = None

    def strikes(self, event: Event) -> bool:
        """Return whether an event is of those that it strikes."""
        return (
            (self.action is None or event.get("event_action") == self.action)
            and (self.dedup_key is None or event.get("dedup_key") == self.dedup_key)
            and (
                self.routing_key is None
                or str(event.get("routing_key", "")).endswith(self.routing_key)
            )
        )

    def as_json(self) -> Event:
        """Return the fault for a JSON encoder."""
        return {**asdict(self), "kind": self.kind.value}


class FaultScript:
    """Faults in the order in which they are to happen.

    A request meets the first fault that strikes it and is not used up.
    """

    def __init__(self) -> None:
        self._planned: list[tuple[PlannedFault, int]] = []

    def add(self, *faults: PlannedFault) -> None:
        """Put faults at the end of the script."""
        self._planned.extend((fault, 0) for fault in faults)

    def clear(self) -> None:
        """Forget every fault."""
        self._planned.clear()

    @property
    def left(self) -> list[PlannedFault]:
        """The faults that can still happen."""
        return [fault for fault, _ in self._planned]

    def next_for(self, event: Event) -> PlannedFault | None:
        """Return the fault that this request meets, and use it up once."""
        for place, (fault, met) in enumerate(self._planned):
            if not fault.strikes(event):
                continue
            self._planned[place] = (fault, met + 1)
            if met < fault.skip:
                return None
            if fault.times is not None and met + 1 >= fault.skip + fault.times:
                del self._planned[place]
            return fault
        return None


_TEXTS: Final = ("body", "location")
_MATCHES: Final = ("action", "dedup_key", "routing_key")
_NUMBERS: Final = ("status", "skip", "times")
_KNOWN: Final = {"kind", "headers", *_TEXTS, *_MATCHES, *_NUMBERS}
_STATUSES: Final = range(200, 600)


def faults_in(script: object) -> list[PlannedFault]:
    """Return the faults in a decoded JSON script: one object or a list of them.

    Raises
    ------
    FaultError
        If a fault is not an object, has an unknown key or kind, or a value of
        the wrong type or range.
    """
    listed = script if isinstance(script, list) else [script]
    return [_fault(number, item) for number, item in enumerate(listed, start=1)]


def _fault(number: int, item: object) -> PlannedFault:
    if not isinstance(item, dict):
        message = f"fault {number} is not an object"
        raise FaultError(message)
    if unknown := sorted(str(key) for key in item if key not in _KNOWN):
        message = f"fault {number} has unknown keys: {', '.join(unknown)}"
        raise FaultError(message)
    kinds = {kind.value: kind for kind in FaultKind}
    kind = kinds.get(str(item.get("kind")))
    if kind is None:
        message = f"fault {number} needs a kind: one of {', '.join(kinds)}"
        raise FaultError(message)
    if wrong := [key for key, value in item.items() if key != "kind" and not _fits(key, value)]:
        message = f"fault {number} has a wrong value for {', '.join(map(str, wrong))}"
        raise FaultError(message)
    return PlannedFault(**{**item, "kind": kind})


def _fits(key: object, value: object) -> bool:
    """Return whether a value of a script has the type and range of its key."""
    if key == "headers":
        return isinstance(value, dict) and all(_is_header(*pair) for pair in value.items())
    if key in _TEXTS:
        return isinstance(value, str) and (key != "location" or _is_header("Location", value))
    if key in _MATCHES:
        return value is None or isinstance(value, str)
    if key == "times" and value is None:
        return True
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value in _STATUSES if key == "status" else value >= (1 if key == "times" else 0)


def _is_header(name: object, value: object) -> bool:
    if not isinstance(name, str) or not isinstance(value, str):
        return False
    return name.replace("-", "").isalnum() and name.isascii() and value.isprintable()
