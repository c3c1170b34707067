import asyncio
import logging
from typing import Any

from gmqtt.mqtt.package import Package
from gmqtt.mqtt.protocol import MQTTProtocol

class MQTTConnection:
    _transport: Any
    _protocol: MQTTProtocol
    _last_data_in: float
    def __init__(
        self,
        transport: asyncio.Transport,
        protocol: MQTTProtocol,
        clean_session: bool,
        keepalive: int,
        package_handler: Any,
        logger: logging.Logger | None = None,
    ) -> None: ...
    def put_package(self, pkg: Package) -> None: ...
