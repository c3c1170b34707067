from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.channels import fingerprint, open_channel
from playwatch.channels.pagerduty import ENDPOINTS, PagerDutyChannel
from playwatch.core.deliveries import Misconfigured, Rejected, Retry, Sent
from playwatch.demo.stand_in import StandIn
from tests.fakes import HandClock
from tests.kit.channels import (
    KEY,
    PATIENT,
    SILENCE,
    UNREACHABLE,
    a_delivery,
    its_resolve,
    pagerduty_settings,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwatch.channels.http import PostLimits
    from playwatch.core.deliveries import Attempt

FORMER = "F" * 32


def opened(
    url: str | None,
    *,
    key: str = KEY,
    key_of: Callable[[str], str | None] = lambda _: None,
    tls: ssl.SSLContext | None = None,
    limits: PostLimits = PATIENT,
) -> PagerDutyChannel:
    return PagerDutyChannel(
        pagerduty_settings(url, key),
        clock=HandClock(),
        page_url="https://example.com/",
        key_of=key_of,
        limits=limits,
        tls=tls,
    )


async def test_an_incident_opens_and_resolves() -> None:
    async with StandIn() as server:
        channel = opened(server.url)
        trigger = a_delivery()

        assert await channel.send(trigger) == Sent("202 Event processed")
        assert server.open_keys == {"playwatch/a1b2c3d4e5f6"}
        assert await channel.send(its_resolve(trigger)) == Sent("202 Event processed")
        assert server.open_keys == set()
        await channel.close()
        (first, second) = (entry.event for entry in server.journal)

    assert first is not None
    assert second is not None
    assert first["client_url"] == "https://example.com/incidents/a1b2c3d4e5f6"
    assert "custom_details" in str(second["payload"])


async def test_a_key_from_a_file_is_trimmed() -> None:
    async with StandIn() as server:
        channel = opened(server.url, key=f" {KEY}\n")

        assert isinstance(await channel.send(a_delivery()), Sent)
        await channel.close()


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_region_is_an_address(region: str) -> None:
    settings = pagerduty_settings(None, region=region)
    channel = open_channel(settings, clock=HandClock())

    assert ENDPOINTS[region].split("/")[2] in repr(channel)


@pytest.mark.parametrize(("status", "word"), [(400, "'payload.links' is odd"), (413, "too much")])
async def test_an_event_called_invalid_may_pass_in_its_least_form(status: int, word: str) -> None:
    async with StandIn() as server:
        server.fail("status", status=status, body=json.dumps({"errors": [word]}))
        channel = opened(server.url)

        refused = await channel.send(a_delivery())
        attempt = await channel.send(replace(a_delivery(), is_shortened=True))
        await channel.close()

        assert isinstance(refused, Rejected)
        assert refused.reason.endswith(f" refused it: {status} {word}")
        assert attempt == Sent("202 Event processed (without its details)")
        whole, least = (entry.size for entry in server.journal)
        assert least < whole
        assert len(server.opened()) == 1


async def test_an_event_refused_in_its_least_form_says_so() -> None:
    async with StandIn() as server:
        server.fail("status", status=400, body='{"errors":["no"]}')
        channel = opened(server.url)

        attempt = await channel.send(replace(a_delivery(), is_shortened=True))
        await channel.close()

        assert isinstance(attempt, Rejected)
        assert "refused even the shortest form of it: 400 no" in attempt.reason
        assert server.requests == 1


@pytest.mark.parametrize("key", ["short", "x" * 31 + "-"])
async def test_a_wrong_key_waits_for_the_operator_and_costs_one_request(key: str) -> None:
    async with StandIn() as server:
        channel = opened(server.url, key=key)

        attempt = await channel.send(a_delivery())
        await channel.close()

        assert isinstance(attempt, Misconfigured)
        assert "integration key" in attempt.reason
        assert server.requests == 1


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ({"status": 401}, "wrong service region"),
        ({"status": 404}, "wrong integration key"),
        ({"status": 200}, "proxy"),
        ({"status": 302}, "final address"),
        ({"status": 400, "headers": {"Content-Type": "text/html"}, "body": "<p>no"}, "proxy"),
        ({"status": 405}, "check `region` and `url`"),
    ],
)
async def test_the_operator_is_told_what_to_look_at(fault: dict[str, object], advice: str) -> None:
    async with StandIn() as server:
        server.fail("status", times=None, **fault)
        channel = opened(server.url)

        attempt = await channel.send(a_delivery())
        await channel.close()

        assert isinstance(attempt, Misconfigured)
        assert advice in attempt.reason
        assert server.requests == 1


async def test_a_resolve_goes_to_the_key_its_trigger_was_routed_with() -> None:
    async with StandIn() as server:
        before = opened(server.url, key=FORMER)
        trigger = a_delivery(key_fingerprint=before.key_fingerprint)
        await before.send(trigger)
        after = opened(server.url, key_of={fingerprint(FORMER): FORMER}.get)

        await after.send(its_resolve(trigger))
        await before.close()
        await after.close()

        assert fingerprint(FORMER) == trigger.key_fingerprint != after.key_fingerprint
        assert server.opened() == []
        assert [page.status for page in server.pages] == ["resolved"]


async def test_a_delivery_whose_key_is_gone_says_so() -> None:
    async with StandIn() as server:
        channel = opened(server.url)

        attempt = await channel.send(a_delivery(key_fingerprint=fingerprint(FORMER)))
        await channel.close()

        assert isinstance(attempt, Sent)
        assert "the one it was routed with is gone" in attempt.answer


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 400, "body": '{"errors":["\'routing_key\' is no more"]}'},
        {"status": 403},
        {"status": 404},
    ],
)
async def test_a_former_key_that_is_refused_does_not_hold_the_queue(
    refusal: dict[str, object],
) -> None:
    async with StandIn() as server:
        server.fail("status", routing_key=FORMER, times=None, **refusal)
        channel = opened(server.url, key_of=lambda _: FORMER)
        trigger = a_delivery(key_fingerprint=fingerprint(FORMER))

        attempts = [await channel.send(trigger), await channel.send(its_resolve(trigger))]
        await channel.close()

        assert [page.status for page in server.pages] == ["resolved"]
        assert server.requests == 4
    for attempt in attempts:
        assert isinstance(attempt, Sent)
        assert "the one it was routed with is refused" in attempt.answer


async def test_a_former_key_in_trouble_waits_for_the_former_key() -> None:
    async with StandIn() as server:
        server.fail("status", status=503, routing_key=FORMER)
        channel = opened(server.url, key_of=lambda _: FORMER)
        trigger = a_delivery(key_fingerprint=fingerprint(FORMER))

        assert isinstance(await channel.send(trigger), Retry)
        assert await channel.send(trigger) == Sent("202 Event processed")
        await channel.close()

        assert len(server.opened(FORMER)) == 1


async def test_both_keys_refused_wait_for_the_operator() -> None:
    async with StandIn() as server:
        server.fail("status", status=403, times=None)
        channel = opened(server.url, key_of=lambda _: FORMER)

        attempt = await channel.send(a_delivery(key_fingerprint=fingerprint(FORMER)))
        await channel.close()

    assert isinstance(attempt, Misconfigured)


async def test_a_retry_sends_the_same_bytes_and_opens_one_incident() -> None:
    async with StandIn() as server:
        server.fail("accept_then_hang")
        waiting, again = opened(server.url, limits=SILENCE), opened(server.url)

        first = await waiting.send(a_delivery())
        second = await again.send(a_delivery())
        await waiting.close()
        await again.close()

        assert isinstance(first, Retry)
        assert first.is_ambiguous
        assert isinstance(second, Sent)
        assert server.journal[0].event == server.journal[1].event
        assert len(server.pages) == 1


async def test_a_name_that_does_not_exist_is_worth_another_try() -> None:
    channel = opened("https://events.invalid/v2/enqueue", limits=UNREACHABLE)

    attempt = await channel.send(a_delivery())
    await channel.close()

    assert isinstance(attempt, Retry)
    assert not attempt.is_ambiguous
    assert "events.invalid" in attempt.reason


async def test_nothing_of_a_url_but_its_host_is_told() -> None:
    async with StandIn() as server:
        url = server.url
    channel = opened(url.replace("http://", "http://user:hidden@") + "?token=hidden")

    attempt = await channel.send(a_delivery())
    await channel.close()

    assert isinstance(attempt, Retry)
    assert "hidden" not in f"{attempt!r} {channel!r}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required", Misconfigured),
        (b"HTTP/1.1 502 Bad Gateway", Retry),
        (b"", Retry),
    ],
)
async def test_a_proxy_of_the_environment_is_used_and_its_failures_are_told_apart(
    line: bytes, expected: type[Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = bytearray()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(line + b"\r\nContent-Length: 0\r\n\r\n" if line else b"")
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden@127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with proxy:
        channel = opened("https://events.invalid/v2/enqueue")
        attempt = await channel.send(a_delivery())
        await channel.close()

    assert isinstance(attempt, expected)
    assert asked.startswith(b"CONNECT events.invalid:443")
    assert KEY.encode() not in asked
    assert "hidden" not in repr(attempt)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for localhost, its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert, both = (folder / name for name in ("key.pem", "cert.pem", "both.pem"))
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *subject, "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


async def through_tls(
    certificate: Path, url: Callable[[int], str], tls: ssl.SSLContext | None
) -> tuple[Attempt, bytes]:
    """Return what becomes of a delivery, and what the TLS server could read."""
    received = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readuntil(b"}}"))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    async with server:
        channel = opened(url(server.sockets[0].getsockname()[1]), tls=tls)
        attempt = await channel.send(a_delivery())
        await channel.close()
    return attempt, bytes(received)


async def test_a_certificate_that_is_not_trusted_gets_nothing(certificate: Path) -> None:
    attempt, received = await through_tls(
        certificate, lambda port: f"https://localhost:{port}/v2/enqueue", None
    )

    assert isinstance(attempt, Misconfigured)
    assert "certificate" in attempt.reason
    assert received == b""


async def test_a_certificate_of_another_host_gets_nothing(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    attempt, received = await through_tls(
        certificate, lambda port: f"https://127.0.0.1:{port}/v2/enqueue", trusting
    )

    assert isinstance(attempt, Misconfigured)
    assert received == b""


async def test_a_trusted_certificate_gets_the_event(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    attempt, received = await through_tls(
        certificate, lambda port: f"https://localhost:{port}/v2/enqueue", trusting
    )

    assert isinstance(attempt, Sent)
    assert KEY.encode() in received


async def test_a_port_without_tls_gets_nothing_and_is_no_downgrade() -> None:
    async with StandIn() as server:
        channel = opened(server.url.replace("http://", "https://"))

        attempt = await channel.send(a_delivery())
        await channel.close()

        assert not isinstance(attempt, Sent)
        assert server.requests == 0
        assert words_of(attempt)
