"""A channel as a caller sends it, checked by the models that check the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from playwatch.config.channels import ChannelSettings  # noqa: TC001 - pydantic reads it
from playwatch.config.document import Document
from playwatch.config.fields import Reading, Strict
from playwatch.config.former import secret_fields
from playwatch.config.secrets import TWINS
from playwatch.config.wording import complain_of
from playwatch.errors import InvalidError, Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwatch.config.document import Path as KeyPath
    from playwatch.core.metrics import Catalogue


class _One(Strict):
    channel: ChannelSettings


class _Body(Document):
    """A document from elsewhere: its mistakes are placed by JSON pointers."""

    def __init__(self, value: object) -> None:
        super().__init__("", value)
        self.mistakes: list[Mistake] = []

    def complain(
        self, path: KeyPath, message: str, hint: str = "", *, of_key: bool = False
    ) -> None:
        """Add a mistake at a value."""
        del of_key
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path[1:])
        mistake = Mistake("".join(f"/{step}" for step in steps), message, hint)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)


def channel_settings(body: Mapping[str, object], catalogue: Catalogue) -> ChannelSettings:
    """Return the channel that an object describes, with the keys of the configuration file.

    Raises
    ------
    InvalidError
        With every mistake; no secret stands in it.
    """
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidError([Mistake("", "is not text in UTF-8")]) from None
    twins = [f"{name}_file" for name in TWINS["channels"] if f"{name}_file" in body]
    document = _Body({"channel": {name: body[name] for name in body if name not in twins}})
    for twin in twins:
        message, hint = "is possible in the configuration file only", "send what the file holds"
        document.complain(("channel", twin), message, hint)
    try:
        known = Reading(Path(), catalogue)
        one = _One.model_validate(document.value, context=known, by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            complain_of(detail, document, _One)
    else:
        if not document.mistakes:
            return one.channel
    raise InvalidError(document.mistakes)


def masked_settings(channel: ChannelSettings) -> dict[str, object]:
    """Return a channel as a configuration file would have it, every secret masked."""
    return channel.model_dump(mode="json", by_alias=True)


def restored_settings(
    masked: Mapping[str, object], key: str, others: Mapping[str, str], catalogue: Catalogue
) -> ChannelSettings:
    """Return the channel that `masked_settings` wrote, with its secrets again.

    Raises
    ------
    InvalidError
        If this version or configuration does not take it any more.
    """
    secrets = secret_fields(str(masked.get("service", "")), key, others)
    return channel_settings({**masked, **secrets}, catalogue)
