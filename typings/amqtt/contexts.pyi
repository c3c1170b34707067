from collections.abc import Mapping
from enum import StrEnum

class ListenerType(StrEnum):
    TCP = "tcp"
    EXTERNAL = "external"

class ListenerConfig:
    def __init__(self, type: ListenerType = ..., bind: str | None = ...) -> None: ...

class BrokerConfig:
    def __init__(
        self,
        listeners: Mapping[str, ListenerConfig] = ...,
        plugins: Mapping[str, Mapping[str, object]] = ...,
    ) -> None: ...
