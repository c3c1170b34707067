"""Which topics a subscription's filter matches."""

from __future__ import annotations

_SHARED = "$share/"


def matches(topic_filter: str, topic: str) -> bool:
    """Say whether a topic filter matches a topic.

    Parameters
    ----------
    topic_filter
        As in a subscription: ``+`` stands for one level, a last ``#`` for any
        number of them. A shared subscription (``$share/group/filter``) matches
        what its filter matches.
    topic
        As published, without wildcards.

    Returns
    -------
    bool
        True when a broker would deliver the topic. A leading wildcard never
        matches a topic that begins with ``$``.

    References
    ----------
    MQTT 5.0, sections 4.7.1 (wildcards), 4.7.2 (topics beginning with $) and
    4.8.2 (shared subscriptions).
    """
    if topic_filter.startswith(_SHARED):
        topic_filter = topic_filter.split("/", 2)[-1]
    asked = topic_filter.split("/")
    levels = topic.split("/")
    if topic.startswith("$") and asked[0] in {"+", "#"}:
        return False
    if asked[-1] == "#":
        asked.pop()
        levels = levels[: len(asked)]
    return len(asked) == len(levels) and all(
        wanted in {"+", level} for wanted, level in zip(asked, levels, strict=True)
    )
