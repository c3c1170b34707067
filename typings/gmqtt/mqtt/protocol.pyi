import asyncio
from typing import Any

class MQTTProtocol(asyncio.StreamReaderProtocol):
    _connection: Any
    _transport: Any
    def __init__(self, *, connection_state: Any, id_generator: Any) -> None: ...
    @property
    def closed(self) -> asyncio.Future[None]: ...
    def set_connection(self, conn: Any) -> None: ...
