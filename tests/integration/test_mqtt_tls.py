"""Encrypted connections to a real mosquitto."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from playwatch.ingest.publish import publish
from tests.brokers import Mosquitto, build, needs_mosquitto, numbered, read, running
from tests.waiting import soon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.mosquitto,
    needs_mosquitto,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]


async def openssl(folder: Path, line: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "openssl", *line.split(), cwd=folder, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def certify(folder: Path, *names: str, host: str = "127.0.0.1") -> None:
    """Make an authority and let it sign a certificate for each name."""
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    await openssl(folder, f"req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority")
    (folder / "extensions").write_text(f"subjectAltName=IP:{host}\n")
    for name in names:
        await openssl(folder, f"req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}")
        await openssl(
            folder,
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial"
            f" -out {name}.pem -extfile extensions",
        )


def encrypted(folder: Path, *options: str) -> Mosquitto:
    files = [f"cafile {folder}/ca.pem", f"certfile {folder}/broker.pem"]
    return Mosquitto(folder, options=(*files, f"keyfile {folder}/broker.key", *options))


async def test_messages_pass_over_tls(tmp_path: Path) -> None:
    await certify(tmp_path, "broker")
    async with encrypted(tmp_path) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        settings = broker.settings(url=url, tls={"ca_file": str(tmp_path / "ca.pem")})
        async with running(build(settings)) as source:
            await publish(settings, numbered(300))

            assert len(await read(source, 300)) == 300
            assert source.name == url


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    await certify(tmp_path, "broker", "engine")
    async with encrypted(tmp_path, "require_certificate true") as broker:
        tls = {
            "ca_file": str(tmp_path / "ca.pem"),
            "cert_file": str(tmp_path / "engine.pem"),
            "key_file": str(tmp_path / "engine.key"),
        }
        settings = broker.settings(url=f"mqtts://127.0.0.1:{broker.port}", tls=tls)
        async with running(build(settings)) as source:
            assert source.is_subscribed


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    await certify(tmp_path, "broker")
    async with encrypted(tmp_path) as broker:
        settings = broker.settings(url=f"mqtts://127.0.0.1:{broker.port}")
        async with running(build(settings), subscribed=False) as source:
            await soon(lambda: source.trouble)

            assert "the broker's certificate is not trusted" in source.trouble


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    await certify(tmp_path, "broker", host="192.0.2.1")
    async with encrypted(tmp_path) as broker:
        settings = broker.settings(
            url=f"mqtts://127.0.0.1:{broker.port}", tls={"ca_file": str(tmp_path / "ca.pem")}
        )
        async with running(build(settings), subscribed=False) as source:
            await soon(lambda: source.trouble)

            assert "the broker's certificate is not trusted" in source.trouble


async def test_a_broker_without_tls_is_told_from_an_untrusted_one(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path) as broker:
        settings = broker.settings(url=f"mqtts://127.0.0.1:{broker.port}")
        async with running(build(settings), subscribed=False) as source:
            await soon(lambda: source.trouble)

            assert "not trusted" not in source.trouble
