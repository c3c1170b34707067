"""Where a channel that was added at run time may not send to."""

from __future__ import annotations

import pytest

from playwatch.channels.guard import AddressGuard, refusal
from playwatch.channels.http import Failure, Fault, HttpPost
from playwatch.demo.stand_in import StandIn
from tests.fakes import HandClock


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0.0.0.0",  # noqa: S104 - it is refused
        "0.1.2.3",
        "localhost",
        "LOCALHOST.",
        "db.localhost",
        "host.localdomain",
        "169.254.169.254",
        "169.254.1.1",
        "metadata.google.internal",
        "168.63.129.16",
        "100.100.100.200",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
    ],
)
def test_this_machine_and_its_cloud_are_refused_however_they_are_written(host: str) -> None:
    assert AddressGuard().refusal_of_url(f"https://user@{host}:8443/x")


@pytest.mark.parametrize(
    "host",
    ["hooks.example.com", "10.1.2.3", "192.168.1.9", "203.0.113.7", "[fd12::1]", "[2001:db8:1::1]"],
)
def test_the_rest_of_the_world_is_not(host: str) -> None:
    assert not AddressGuard().refusal_of_url(f"https://{host}/x")
    assert not refusal(host.strip("[]"))


def test_a_host_that_the_configuration_names_is_let_pass() -> None:
    guard = AddressGuard(["LocalHost", "::1"])

    assert not guard.refusal_of_url("http://localhost:9/")
    assert not guard.refusal_of_url("http://[::1]:9/")
    assert guard.refusal_of_url("http://127.0.0.1:9/")


class _Deceived(AddressGuard):
    """Takes every name for a good one, as when its address has changed since."""

    def refusal_of_url(self, url: str) -> str:
        del url
        return ""


async def test_a_name_that_leads_to_this_machine_after_all_is_refused_when_connecting() -> None:
    async with StandIn() as server:
        for guard, url in (
            (AddressGuard(), server.url),
            (_Deceived(), server.url),
            (_Deceived(), server.url.replace("127.0.0.1", "localhost")),
        ):
            post = HttpPost(url, clock=HandClock(), guard=guard)
            outcome = await post.send(b"{}")
            await post.close()

            assert isinstance(outcome, Failure)
            assert outcome.fault is Fault.FORBIDDEN
            assert "of this machine" in outcome.reason
        assert server.requests == 0


async def test_a_host_that_is_let_pass_is_reached() -> None:
    async with StandIn() as server:
        post = HttpPost(server.url, clock=HandClock(), guard=AddressGuard(["127.0.0.1"]))
        await post.send(b"{}")
        await post.close()

        assert server.requests == 1
