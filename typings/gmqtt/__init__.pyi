"""What we use of gmqtt, which has no types of its own."""

import logging
import ssl as _ssl
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gmqtt.mqtt.connection import MQTTConnection

class _Storage(Protocol):
    @property
    def is_empty(self) -> bool: ...
    def push_message(self, mid: int, _raw: bytes, /) -> None: ...
    def remove_message_by_mid(self, mid: int, /) -> None: ...
    async def wait_empty(self) -> None: ...
    def clear(self) -> None: ...
    def get_all(self) -> list[tuple[int, bytes]]: ...

class MQTTConnectError(Exception):
    message: str

class Subscription:
    def __init__(
        self,
        topic: str,
        qos: int = 0,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling_options: int = 0,
    ) -> None: ...

class Client:
    _connection: MQTTConnection | None
    _connection_state: Any
    _package_handler: Any
    _logger: logging.Logger
    subscriptions: list[Subscription]
    reconnect_retries: int
    on_connect: Callable[[Client, int, int, dict[str, Any]], None]
    on_disconnect: Callable[..., None]
    on_subscribe: Callable[[Client, int, tuple[int, ...], Any], None]
    def __init__(
        self,
        client_id: str | bytes,
        clean_session: bool = True,
        *,
        persistent_storage: _Storage | None = None,
        logger: logging.Logger | None = None,
        session_expiry_interval: int = ...,
        receive_maximum: int = ...,
        topic_alias_maximum: int = 0,
    ) -> None: ...
    async def _create_connection(
        self,
        host: str,
        *,
        port: int,
        ssl: _ssl.SSLContext | bool,
        clean_session: bool,
        keepalive: int,
    ) -> MQTTConnection: ...
    @property
    def is_connected(self) -> bool: ...
    def set_auth_credentials(self, username: str, password: str | None = None) -> None: ...
    async def connect(
        self,
        host: str,
        port: int = 1883,
        ssl: _ssl.SSLContext | bool = False,
        keepalive: int = 60,
        version: int = 5,
        raise_exc: bool = True,
    ) -> None: ...
    async def disconnect(self, reason_code: int = 0) -> None: ...
    def subscribe(self, subscription_or_topic: Sequence[Subscription]) -> int: ...
    def publish(
        self, message_or_topic: str, payload: bytes | None = None, qos: int = 0, retain: bool = False
    ) -> None: ...
