from __future__ import annotations

import pytest

from playwatch.channels.keys import fingerprint, last_four, redacted, secrets_in


def test_white_space_round_a_key_does_not_count() -> None:
    assert fingerprint(" abc\n") == fingerprint("abc") != fingerprint("abd")


def test_no_key_has_no_fingerprint() -> None:
    assert fingerprint(" ") == ""


@pytest.mark.parametrize(
    ("key", "shown"), [("0123456789", "****6789"), ("01234567", "****"), ("", "")]
)
def test_a_short_key_shows_nothing_of_itself(key: str, shown: str) -> None:
    assert last_four(key) == shown


@pytest.mark.parametrize(
    "said",
    [
        "POST https://user:passw0rd1@h.example/services/T0/B0/thetoken1234?sig=0123456789 failed",
        "unknown path /services/T0/B0/thetoken1234",
        "unknown path services/T0/B0/thetoken1234",
        "no hook thetoken1234",
        "bad query sig=0123456789",
        "user passw0rd1 is wrong",
    ],
)
def test_no_part_of_a_secret_url_is_told(said: str) -> None:
    url = "https://user:passw0rd1@h.example/services/T0/B0/thetoken1234?sig=0123456789"

    told = redacted(said, *secrets_in(url))

    assert "<key>" in told
    for secret in ("passw0rd1", "thetoken1234", "0123456789"):
        assert secret not in told


def test_a_url_that_is_none_is_hidden_whole() -> None:
    assert secrets_in("http://[::1/token") == ("http://[::1/token",)
