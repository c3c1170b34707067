"""What the tests use of Mux's official client."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

class Configuration:
    def __init__(
        self, host: str | None = ..., username: str | None = ..., password: str | None = ...
    ) -> None: ...

class ApiClient:
    rest_client: Any
    def __init__(self, configuration: Configuration) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

class Incident:
    openapi_types: ClassVar[dict[str, str]]
    id: str
    status: str
    severity: str
    measurement: str
    measured_value: float | None
    measured_value_on_close: float | None
    threshold: float
    sample_size: int
    sample_size_unit: str
    affected_views: int
    affected_views_per_hour: int
    impact: str
    description: str
    breakdowns: Sequence[Any]
    notifications: Sequence[Any]
    started_at: str
    resolved_at: str | None

class IncidentResponse:
    data: Incident
    total_row_count: int | None

class ListIncidentsResponse:
    data: Sequence[Incident]
    timeframe: Sequence[int]
    total_row_count: int | None

class IncidentsApi:
    def __init__(self, api_client: ApiClient) -> None: ...
    def list_incidents(self, **asked: object) -> ListIncidentsResponse: ...
    def get_incident(self, incident_id: str) -> IncidentResponse: ...
    def list_related_incidents(
        self, incident_id: str, **asked: object
    ) -> ListIncidentsResponse: ...
