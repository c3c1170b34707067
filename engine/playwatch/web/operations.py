"""Every path of the API: what it takes and gives. The OpenAPI document is made of this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from playwatch.web.bodies import (
    AckBody,
    AuditWanted,
    AuthorWanted,
    ChannelBody,
    CountDocument,
    EnableBody,
    IdsBody,
    LettersWanted,
    NoteBody,
    RemovalWanted,
    ResolveBody,
    SilenceBody,
    SilenceDocument,
    SilencesWanted,
    StandingDocument,
)
from playwatch.web.engine_documents import (
    GroupDocument,
    GroupsWanted,
    HistoryDocument,
    HistoryWanted,
    MetricDocument,
    ModelDocument,
    RuleDocument,
    SeriesPage,
    SeriesWanted,
    StatusDocument,
)
from playwatch.web.incident_documents import (
    IncidentPage,
    IncidentsWanted,
    RemarkDocument,
    StoryDocument,
)
from playwatch.web.mux_documents import IncidentsAsked, ManyIncidents, OneIncident, RelatedAsked

if TYPE_CHECKING:
    import msgspec

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One path with one method.

    Attributes
    ----------
    name
        Its ``operationId``.
    summary
        What it does, in a sentence.
    gives, status
        What it answers with when all is well.
    query, body
        What it takes; None for nothing.
    """

    method: str
    path: str
    name: str
    summary: str
    gives: Any
    status: int = 200
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None

    @property
    def tag(self) -> str:
        """Where it stands in the document."""
        return "mux" if self.path.startswith("/data/") else self.path.split("/")[3]


_V1: Final = "/api/v1"
_INCIDENT: Final = f"{_V1}/incidents/{{id}}"
_CHANNEL: Final = f"{_V1}/channels/{{name}}"
_MUX: Final = "/data/v1/incidents"

INCIDENTS: Final = (
    Operation(
        "GET",
        f"{_V1}/incidents",
        "listIncidents",
        "List incidents, the newest first.",
        IncidentPage,
        query=IncidentsWanted,
    ),
    Operation(
        "GET",
        _INCIDENT,
        "getIncident",
        "Return an incident with what was decided, sent and said about it.",
        StoryDocument,
    ),
    Operation(
        "POST",
        f"{_INCIDENT}/ack",
        "acknowledgeIncident",
        "Say that somebody looks after an incident.",
        RemarkDocument,
        201,
        body=AckBody,
    ),
    Operation(
        "POST",
        f"{_INCIDENT}/note",
        "noteIncident",
        "Add a note to an incident.",
        RemarkDocument,
        201,
        body=NoteBody,
    ),
    Operation(
        "POST",
        f"{_INCIDENT}/resolve",
        "resolveIncident",
        "Close an open incident by hand; whoever was told of it is told of its end.",
        StandingDocument,
        body=ResolveBody,
    ),
)

SILENCES: Final = (
    Operation(
        "GET",
        f"{_V1}/silences",
        "listSilences",
        "List the silences in force and to come.",
        list[SilenceDocument],
        query=SilencesWanted,
    ),
    Operation(
        "POST",
        f"{_V1}/silences",
        "addSilence",
        "Begin a silence.",
        SilenceDocument,
        201,
        body=SilenceBody,
    ),
    Operation(
        "DELETE",
        f"{_V1}/silences/{{id}}",
        "endSilence",
        "End a silence; what it kept back is told at once.",
        SilenceDocument,
        query=AuthorWanted,
    ),
)

ENGINE: Final = (
    Operation(
        "GET",
        f"{_V1}/rules",
        "listRules",
        "List the rules, how many groups are in which phase, and the nearest to its bound.",
        list[RuleDocument],
    ),
    Operation(
        "GET",
        f"{_V1}/rules/{{name}}/groups",
        "listGroups",
        "List the groups of a rule, the nearest to its bound first.",
        list[GroupDocument],
        query=GroupsWanted,
    ),
    Operation(
        "GET",
        f"{_V1}/models",
        "listModels",
        "List the learned rules: what each has learned, and its pages against its budget.",
        list[ModelDocument],
    ),
    Operation(
        "GET",
        f"{_V1}/metrics",
        "listMetrics",
        "List the metrics that have series.",
        list[MetricDocument],
    ),
    Operation(
        "GET",
        f"{_V1}/series",
        "listSeries",
        "List series of a metric with their newest samples.",
        SeriesPage,
        query=SeriesWanted,
    ),
    Operation(
        "GET",
        f"{_V1}/series/history",
        "getHistory",
        "Return what a series was, minute by minute.",
        HistoryDocument,
        query=HistoryWanted,
    ),
    Operation(
        "GET",
        f"{_V1}/status",
        "getStatus",
        "Return how the engine itself is.",
        StatusDocument,
    ),
)

CHANNELS: Final = (
    Operation(
        "GET",
        f"{_V1}/channels",
        "listChannels",
        "List the channels; keys are masked.",
        list[JsonObject],
    ),
    Operation(
        "POST",
        f"{_V1}/channels",
        "addChannel",
        "Add a channel, described as in a configuration file.",
        JsonObject,
        201,
        body=ChannelBody,
    ),
    Operation("GET", _CHANNEL, "getChannel", "Return a channel; its key is masked.", JsonObject),
    Operation(
        "PATCH",
        _CHANNEL,
        "enableChannel",
        "Let a channel take incidents again, or no new ones.",
        JsonObject,
        body=EnableBody,
    ),
    Operation(
        "DELETE",
        _CHANNEL,
        "removeChannel",
        "Remove a channel.",
        JsonObject,
        query=RemovalWanted,
    ),
    Operation(
        "POST",
        f"{_CHANNEL}/test",
        "testChannel",
        "Send a marked trigger and its resolve; return what the service said.",
        list[JsonObject],
    ),
)

LETTERS: Final = (
    Operation(
        "GET",
        f"{_V1}/deliveries",
        "listDeliveries",
        "List what waits to be delivered and what was given up.",
        list[JsonObject],
        query=LettersWanted,
    ),
    Operation(
        "POST",
        f"{_V1}/deliveries/replay",
        "replayDeliveries",
        "Queue given-up deliveries again.",
        CountDocument,
        body=IdsBody,
    ),
    Operation(
        "POST",
        f"{_V1}/deliveries/purge",
        "purgeDeliveries",
        "Forget given-up deliveries.",
        CountDocument,
        body=IdsBody,
    ),
    Operation(
        "GET",
        f"{_V1}/audit",
        "listAudit",
        "List who changed what, the newest first.",
        list[JsonObject],
        query=AuditWanted,
    ),
)

MUX: Final = (
    Operation(
        "GET",
        _MUX,
        "muxListIncidents",
        "List incidents as Mux does.",
        ManyIncidents,
        query=IncidentsAsked,
    ),
    Operation("GET", f"{_MUX}/{{id}}", "muxGetIncident", "Return one as Mux does.", OneIncident),
    Operation(
        "GET",
        f"{_MUX}/{{id}}/related",
        "muxListRelatedIncidents",
        "List what went wrong with an incident, or before it in the same place.",
        ManyIncidents,
        query=RelatedAsked,
    ),
)

EVERY: Final = (*INCIDENTS, *SILENCES, *ENGINE, *CHANNELS, *LETTERS, *MUX)
"""All of them; a test holds this against what is served."""
