"""What callers send, and answers that are made elsewhere, as types for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from playwatch.web.contract import Given, Told
from playwatch.web.incident_documents import Time  # noqa: TC001 - msgspec reads it

Author = Annotated[
    str, Meta(max_length=200, description="Who says so; by default the token's name.")
]
Offset = Annotated[int, Meta(ge=0, le=2**31 - 1, description="How many to pass over.")]
Words = Annotated[str, Meta(max_length=4000)]
Matchers = Annotated[
    dict[str, str | list[str] | None],
    Meta(
        min_length=1,
        max_length=50,
        description="By dimension, rule, metric, alert_type or severity: patterns as in rules.",
    ),
]


class ProblemDocument(Told, frozen=True, kw_only=True):
    """What is wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    hint: str | msgspec.UnsetType = msgspec.UNSET
    problems: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class SilenceBody(Given, frozen=True, kw_only=True):
    """A silence; one of ``ends_at`` and ``for`` is needed."""

    matchers: Matchers
    author: Words
    comment: Words = ""
    starts_at: Time | None = None
    ends_at: Time | None = None
    lasts: Annotated[str | None, Meta(description="30m, 2h, 1d")] = msgspec.field(
        default=None, name="for"
    )


class SilenceDocument(Told, frozen=True, kw_only=True):
    """A silence."""

    id: str
    matchers: dict[str, str | list[str] | None]
    starts_at: str
    ends_at: str
    author: str
    comment: str
    created_at: str


class SilencesWanted(Given, frozen=True, kw_only=True):
    """Which silences."""

    all: Annotated[str | None, Meta(description="Given at all: also those that are over.")] = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    offset: Offset = 0


class AuthorWanted(Given, frozen=True, kw_only=True):
    """Who asks."""

    author: Author = ""


class AckBody(Given, frozen=True, kw_only=True):
    """An acknowledgement."""

    author: Words
    comment: Words = ""


class NoteBody(Given, frozen=True, kw_only=True):
    """A note."""

    author: Words
    text: Words


class ResolveBody(Given, frozen=True, kw_only=True):
    """An end by hand."""

    author: Words


class StandingDocument(Told, frozen=True, kw_only=True):
    """How an incident stands."""

    id: str
    status: str
    reason: str


class ChannelBody(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, with the keys that it has in a configuration file."""

    name: str
    service: Literal["pagerduty", "webhook", "slack", "console"]
    author: Author = ""


class EnableBody(Given, frozen=True, kw_only=True):
    """Whether a channel takes new incidents."""

    enabled: bool
    open_incidents: Literal["resolve", "leave"] = "leave"
    author: Author = ""


class RemovalWanted(AuthorWanted, frozen=True, kw_only=True):
    """What becomes of the open incidents of a channel that is removed."""

    open_incidents: Literal["resolve", "leave"] = "resolve"


class LettersWanted(Given, frozen=True, kw_only=True):
    """Which deliveries; by default those that wait and those that were given up."""

    status: tuple[Literal["pending", "sent", "dead"], ...] = ()
    limit: Annotated[int, Meta(ge=0, le=1000)] = 100
    offset: Offset = 0


class IdsBody(Given, frozen=True, kw_only=True):
    """Deliveries by their ids."""

    ids: Annotated[list[str], Meta(min_length=1)]
    author: Author = ""


class CountDocument(Told, frozen=True, kw_only=True):
    """How many it was."""

    count: int


class AuditWanted(Given, frozen=True, kw_only=True):
    """Which entries of the audit."""

    subject: str | None = None
    limit: Annotated[int, Meta(ge=0, le=1000)] = 100
    offset: Offset = 0
