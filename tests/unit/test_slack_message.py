from __future__ import annotations

import html
import json

from hypothesis import given
from hypothesis import strategies as st

from playwatch.channels.slack_message import escaped, full_body, minimal_body
from tests.kit.channels import a_delivery, an_incident


@given(words=st.text(alphabet="<&>ab é👩", max_size=60), limit=st.integers(1, 80))
def test_escaped_words_fit_and_no_escape_is_cut(words: str, limit: int) -> None:
    found = escaped(words, limit)

    assert len(found) <= limit
    read = html.unescape(found)
    assert read == words or words.startswith(read.removesuffix("…").rstrip())


def test_words_that_fit_stay_whole() -> None:
    assert escaped("a < b & c > d", 23) == "a &lt; b &amp; c &gt; d"
    assert escaped("a < b & c > d", 22).endswith("…")


def test_a_message_has_no_link_to_nowhere() -> None:
    message = json.loads(full_body(a_delivery(an_incident(runbook="javascript:alert(1)"))))

    assert [element["type"] for element in message["blocks"][2]["elements"]] == ["plain_text"]


def test_the_plain_form_says_the_same() -> None:
    delivery = a_delivery()

    assert json.loads(minimal_body(delivery)) == {
        name: value for name, value in json.loads(full_body(delivery)).items() if name != "blocks"
    }
