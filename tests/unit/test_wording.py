from __future__ import annotations

from playwatch.channels.keys import fingerprint, redacted
from playwatch.channels.wording import headline, one_line, place, plain, shortened
from tests.kit.channels import KEY, an_incident


def test_a_headline_is_the_incidents_own_summary() -> None:
    assert headline(an_incident(summary=" Failures\nin DE ")) == "Failures in DE"


def test_without_a_summary_the_headline_tells_value_bound_and_views_affected() -> None:
    for summary in ("", " \n"):
        assert headline(an_incident(summary=summary, breakdowns=())) == (
            "Playback failure percentage 7.4 % (> 5): 74 of 1,000 views affected"
        )


def test_a_group_is_named_by_its_dimensions_until_it_is_too_long() -> None:
    many = [(f"dimension{number}", "value") for number in range(10**5)]

    assert place([("country", "DE"), ("cdn", "fastly")]) == "country=DE,cdn=fastly"
    assert place([]) == ""
    assert len(place(many)) < 3000


def test_plain_text_is_valid_unicode_without_control_characters() -> None:
    assert plain("a\x00\x1b\ud800b\tc\n") == "a\ufffd\ufffd\ufffdb\tc\n"
    assert plain(b"caf\xc3\xa9\xff") == "café\ufffd"
    assert one_line(" a\r\n\u2028b ") == "a b"


def test_short_text_is_not_cut() -> None:
    assert shortened("x" * 10, 10) == "x" * 10
    assert shortened("x" * 11, 10) == "x" * 9 + "…"


def test_a_sequence_without_end_is_cut_where_it_must_be() -> None:
    assert len(shortened("e" + "\u0301" * 5000, 1024)) == 1024


def test_a_fingerprint_tells_keys_apart_and_forgets_white_space() -> None:
    assert fingerprint(KEY) == fingerprint(f" {KEY}\n")
    assert fingerprint(KEY) != fingerprint(KEY.lower())
    assert len(fingerprint(KEY)) == 12
    assert fingerprint(KEY) not in KEY


def test_an_echoed_key_is_redacted() -> None:
    assert redacted(f"bad {KEY}!", KEY) == "bad <key>!"
    assert redacted("nothing to hide", "") == "nothing to hide"
