from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playwatch.ingest.topics import matches

LEVELS = st.sampled_from(["", "a", "b", "samples", "$SYS", ".", "ä"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.tuples(
    st.lists(st.one_of(LEVELS, st.just("+")), max_size=4), st.sampled_from([[], ["#"]])
).map(lambda parts: "/".join([*parts[0], *parts[1]]))


def naive(topic_filter: str, topic: str) -> bool:
    """Match by a regular expression made from the filter."""
    if topic[0] == "$" and topic_filter[:1] in {"+", "#"}:
        return False
    pattern = re.escape(topic_filter).replace(re.escape("+"), "[^/]*")
    pattern = re.sub(r"(^|/)\\#$", lambda at: "(/.*)?" if at[1] else ".*", pattern)
    return re.fullmatch(pattern, topic) is not None


@settings(deadline=None)
@given(FILTERS, TOPICS)
def test_a_filter_matches_as_a_regular_expression_would(topic_filter: str, topic: str) -> None:
    assert naive(topic_filter, topic) == matches(topic_filter, topic)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("sport/tennis/#", "sport/tennis", True),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/broker", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
        ("$share/engines/samples/#", "samples/de", True),
        ("$share/engines/samples/#", "other/de", False),
    ],
)
def test_the_examples_of_the_standard_hold(
    topic_filter: str, topic: str, *, expected: bool
) -> None:
    assert expected == matches(topic_filter, topic)
