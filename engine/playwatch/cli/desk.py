"""Finds out who may be asked to change something: a running engine, or the store itself."""

from __future__ import annotations

import getpass
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.config.schema import Settings
    from playwatch.runtime.desk import Desk
    from playwatch.store.sqlite import SqliteStore
    from playwatch.web.client import RemoteDesk

UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Ask the engine at this address.", metavar="URL"),
]
TokenOption = Annotated[
    Path | None,
    typer.Option(help="A file with web.token, where the configuration has none.", metavar="FILE"),
]
AuthorOption = Annotated[
    str,
    typer.Option(default_factory=getpass.getuser, help="Who says so.", show_default="you"),
]


@asynccontextmanager
async def desk_of(config: Path, url: str | None, token_file: Path | None) -> AsyncIterator[Desk]:
    """Yield the store's own desk, or that of the engine that holds the store.

    Raises
    ------
    PlaywatchError
        If neither can be had.
    """
    from playwatch.cli.hands import roster_of
    from playwatch.config.routes import route_of
    from playwatch.runtime.clock import SystemClock
    from playwatch.runtime.desk import StoreDesk
    from playwatch.store.sqlite import SqliteStore

    async with engine_or_store(config, url, token_file) as (settings, found):
        if isinstance(found, SqliteStore):
            whole = await roster_of(settings, found).complete(settings)
            yield StoreDesk(found, SystemClock(), map(route_of, whole.channels))
        else:
            yield found


@asynccontextmanager
async def engine_or_store(
    config: Path, url: str | None, token_file: Path | None
) -> AsyncIterator[tuple[Settings, SqliteStore | RemoteDesk]]:
    """Yield the settings with the store, or with the engine that holds it.

    Raises
    ------
    PlaywatchError
        If neither can be had.
    """
    from playwatch.cli.settings import load
    from playwatch.errors import StoreLockedError
    from playwatch.runtime.clock import SystemClock
    from playwatch.store.sqlite import SqliteStore
    from playwatch.web.client import at_engine

    settings = load(config, need_secrets=False)
    certificate = None
    if url is None:
        try:
            store = await SqliteStore.open(settings.store.path, clock=SystemClock())
        except StoreLockedError as error:
            url = _address(settings, error)
        else:
            try:
                yield settings, store
            finally:
                await store.close()
            return
        certificate = _certificate(settings)
    token = _token(settings, token_file)
    async with at_engine(url, token, certificate) as engine:
        yield settings, engine


def _address(settings: Settings, error: Exception) -> str:
    from playwatch.errors import EngineError

    listen = settings.web.listen
    if listen is None or listen.endswith(":0"):
        message = f"{error}; its web.listen is {listen or 'off'}, so give its address with --url"
        raise EngineError(message) from error
    local = listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
    return f"http{'' if settings.web.tls is None else 's'}://{local}"


def _certificate(settings: Settings) -> bytes | None:
    """Return the certificate that an engine of this configuration shows."""
    import ssl

    from playwatch.errors import EngineError

    if settings.web.tls is None:
        return None
    file = settings.web.tls.cert_file
    try:
        first, end, _ = Path(file).read_text("ascii").partition("-----END CERTIFICATE-----")
        return ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :] + end)
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read as a certificate: {error}"
        raise EngineError(message) from error


def _token(settings: Settings, token_file: Path | None) -> str:
    from playwatch.errors import EngineError

    if token_file is not None:
        try:
            return token_file.read_text().strip()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            message = f"{token_file} cannot be read: {why}"
            raise EngineError(message) from error
    token = settings.web.token
    value = "" if token is None else token.get_secret_value()
    return "" if value.startswith("${") else value
