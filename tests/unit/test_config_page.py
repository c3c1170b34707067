"""Every configuration on the page about Prometheus and Mux is one that loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from playwatch.config.check import findings
from playwatch.config.load import load_config

CONFIG = Path(__file__).parents[2] / "config"
PAGE = (CONFIG / "README.md").read_text()
BLOCKS = re.findall(r"^```yaml playwatch\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
OTHERS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
REST = "\nmqtt: {embedded: true}"
TERMINAL = "\nchannels: [{name: terminal, service: console}]"


def test_the_page_has_examples_of_both() -> None:
    assert len(BLOCKS) >= 8
    assert len(OTHERS) >= 4


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[1].strip() for block in BLOCKS])
def test_an_example_loads_and_means_what_it_says(tmp_path: Path, block: str) -> None:
    text = block + ("" if "mqtt:" in block else REST) + ("" if "channels:" in block else TERMINAL)
    path = tmp_path / "playwatch.yaml"
    path.write_text(text)

    settings = load_config(path, environ={}, need_secrets=False)

    assert settings.core_rules()
    assert findings(settings) == []


@pytest.mark.parametrize("block", OTHERS)
def test_what_is_quoted_of_others_is_yaml(block: str) -> None:
    assert yaml.safe_load(block)


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"^\| `(\w+[./][\w./]*)` \|", PAGE, re.MULTILINE)

    assert named
    assert [name for name in named if not (CONFIG / name).exists()] == []
