"""Faults 11 and 25: certificates, and a proxy in between."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from playwatch.channels.pagerduty import PagerDutyChannel
from playwatch.core.deliveries import Action
from playwatch.demo.stand_in import StandIn
from tests.delivering import asleep, delivering, message, pagerduty, put, turn
from tests.faults.truth import assert_true, incidents
from tests.kit.channels import KEY, PATIENT, pagerduty_settings
from tests.waiting import soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwatch.ports import Store
    from tests.fakes import HandClock


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a valid certificate for localhost and one that has expired, each with its key."""
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    valid = ["-x509", "-keyout", "valid.key", "-out", "valid.pem"]
    asked = ["-new", "-keyout", "expired.key", "-out", "expired.csr"]
    signed = ["-in", "expired.csr", "-signkey", "expired.key", "-out", "expired.pem"]
    for command in (
        ["req", *valid, *subject, *curve],
        ["req", *asked, *subject, *curve],
        ["x509", "-req", "-days", "-1", *signed],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True, cwd=folder)
    return folder


@asynccontextmanager
async def in_front_of(server: StandIn, certificates: Path, name: str) -> AsyncIterator[int]:
    """Yield the port of a TLS server that hands everything on to the stand-in."""
    port = int(server.base_url.rpartition(":")[2])

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(copy(reader, outer), copy(inner, writer))
        except ConnectionError:
            pass
        finally:
            writer.close()
            outer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with front:
        yield front.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("name", "host", "is_trusted"),
    [("expired", "localhost", True), ("valid", "127.0.0.1", True), ("valid", "localhost", False)],
    ids=["expired", "wrong host", "self-signed"],
)
async def test_a_certificate_that_is_not_valid_gets_nothing_until_it_is(
    store: Store, clock: HandClock, certificates: Path, *, name: str, host: str, is_trusted: bool
) -> None:
    first, second = incidents(2)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # handshakes that fail
    trusting = ssl.create_default_context(cafile=certificates / f"{name}.pem")
    async with StandIn(clock=clock) as server:
        untrusted = in_front_of(server, certificates, name)
        async with untrusted as port, in_front_of(server, certificates, "valid") as good_port:
            bad = over_tls(f"https://{host}:{port}", clock, trusting if is_trusted else None)
            valid = ssl.create_default_context(cafile=certificates / "valid.pem")
            mended = over_tls(f"https://localhost:{good_port}", clock, valid)
            async with delivering(store, clock, bad) as outbox:
                await put(store, outbox, message(first), message(second))
                await soon(outbox.complaints)
                assert "certificate" in outbox.complaints()["on-call"]
                await clock.advance(600)
                assert server.requests == 0

                outbox.put(mended)
                await put(store, outbox, message(first, Action.RESOLVE))
                await turn(clock, lambda: server.resolves and len(server.pages) == 2)
            await mended.close()
        assert outbox.complaints() == {}
        assert_true(server, [second])


def over_tls(base: str, clock: HandClock, tls: ssl.SSLContext | None) -> PagerDutyChannel:
    settings = pagerduty_settings(f"{base}/v2/enqueue")
    return PagerDutyChannel(settings, clock=clock, limits=PATIENT, tls=tls)


async def test_a_port_without_tls_is_no_downgrade(store: Store, clock: HandClock) -> None:
    (incident,) = incidents(1)
    async with StandIn(clock=clock) as server:
        plain = pagerduty(server.url.replace("http://", "https://"), clock)
        async with delivering(store, clock, plain) as outbox:
            await put(store, outbox, message(incident))
            await asleep(clock)
            await clock.advance(300)
            assert server.requests == 0

            mended = pagerduty(server.url, clock)
            outbox.put(mended)
            await turn(clock, lambda: server.triggers == 1)
        await mended.close()
        assert_true(server, [incident])


@asynccontextmanager
async def proxy(
    answer: bytes, asked: bytearray, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """Stand between this machine and all others, and answer each CONNECT like this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with monkeypatch.context() as patch:
            patch.setenv("HTTPS_PROXY", f"http://user:hidden@127.0.0.1:{port}")
            patch.delenv("NO_PROXY", raising=False)
            patch.delenv("no_proxy", raising=False)
            yield


@pytest.mark.parametrize(
    ("answer", "is_the_operators"),
    [
        pytest.param(b"HTTP/1.1 407 Authenticate\r\nContent-Length: 0\r\n\r\n", True, id="407"),
        pytest.param(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", True, id="refused"),
        pytest.param(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", False, id="502"),
        pytest.param(b"HTTP/1.1 200 Connection established\r\n\r\n", False, id="dies in tunnel"),
    ],
)
async def test_a_proxy_that_fails_gets_no_key_and_loses_nothing(
    store: Store,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    answer: bytes,
    is_the_operators: bool,
) -> None:
    (incident,) = incidents(1)
    asked = bytearray()
    async with StandIn(clock=clock) as server, proxy(answer, asked, monkeypatch):
        behind = pagerduty("https://events.invalid/v2/enqueue", clock)
        async with delivering(store, clock, behind) as outbox:
            await put(store, outbox, message(incident))
            await asleep(clock)
            assert bool(outbox.complaints()) is is_the_operators

            direct = pagerduty(server.url, clock)
            outbox.put(direct)
            await turn(clock, lambda: server.triggers == 1)
        await direct.close()
        assert asked.startswith(b"CONNECT events.invalid:443")
        assert KEY.encode() not in asked
        assert_true(server, [incident])
