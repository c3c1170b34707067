"""How long a subscription may be silent, as people write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playwatch.config.load import load_config
from playwatch.config.show import effective
from playwatch.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.config.schema import Settings


def loaded(folder: Path, quiet_after: str) -> Settings:
    path = folder / "playwatch.yaml"
    subscription = f"{{topic: a, quiet_after: {quiet_after}}}"
    path.write_text(f"mqtt: {{embedded: true, subscriptions: [{subscription}]}}\n")
    return load_config(path, environ={})


@pytest.mark.parametrize(
    ("written", "meant", "shown"),
    [("auto", "auto", "auto"), ("off", "off", "off"), ("90s", 90.0, "1m30s"), ("7d", 604800, "7d")],
)
def test_patience_is_learned_given_or_endless(
    tmp_path: Path, written: str, meant: object, shown: str
) -> None:
    settings = loaded(tmp_path, written)

    assert settings.mqtt.subscriptions[0].quiet_after == meant
    assert effective(settings)["mqtt"]["subscriptions"][0]["quiet_after"] == shown


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("5", "'5' is not a duration (write auto, off, or a duration such as 5m)"),
        ("never", "'never' is not a duration"),
        ("0s", "must be from 1s to 7d (write off to accept any silence)"),
        ("8d", "must be from 1s to 7d"),
        ("[5m]", "is not a duration"),
        ("", "is not a duration"),
    ],
)
def test_any_other_patience_is_a_mistake(tmp_path: Path, written: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, written)

    (problem,) = caught.value.problems
    assert problem.path == "mqtt.subscriptions.0.quiet_after"
    assert words in str(problem)
