"""The configuration in force, with its secrets masked, and the schema for editors."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import yaml

from playwatch.config.schema import RuleFile, Settings
from playwatch.config.secrets import TWINS


def effective(settings: Settings) -> dict[str, Any]:
    """Return every setting with its default, as it would stand in one file.

    Rules of other files stand in it, so it names no ``rule_files``. Of an
    integration key the last four characters are shown, of other secrets
    nothing. Without secrets the result loads again as the same settings.
    """
    shown: dict[str, Any] = settings.model_dump(
        mode="json", by_alias=True, exclude={"rule_files"}, exclude_none=False
    )
    mqtt = shown["mqtt"]
    if not settings.mqtt.embedded:
        del mqtt["listen"]
    if not any(mqtt["tls"].values()):
        del mqtt["tls"]
    return {section: _without_none(content) for section, content in shown.items()}


def effective_yaml(settings: Settings) -> str:
    """Return the same as YAML."""
    return yaml.safe_dump(effective(settings), sort_keys=False, allow_unicode=True, width=100)


def json_schema(*, is_rule_file: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of the main file, or of a rule file, for editors."""
    model = RuleFile if is_rule_file else Settings
    schema = model.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Playwatch rules" if is_rule_file else "Playwatch configuration"
    for definition in schema["$defs"].values():
        _add_twins(definition)
    return schema


def schema_text(schema: dict[str, Any]) -> str:
    """Return a schema as it stands in a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _add_twins(definition: dict[str, Any]) -> None:
    """Allow a secret's ``_file`` twin in its place."""
    properties: dict[str, Any] = definition.get("properties", {})
    for key in chain.from_iterable(TWINS.values()):
        if key in properties:
            properties[f"{key}_file"] = {"type": "string", "title": f"File with the {key}"}
            required: list[str] = definition.get("required", [])
            if key in required:
                required.remove(key)
                definition["oneOf"] = [{"required": [key]}, {"required": [f"{key}_file"]}]


def _without_none(content: Any, *, is_where: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Leave out keys without a value, except in ``where``, where null has a meaning."""
    if isinstance(content, dict):
        return {
            key: _without_none(value, is_where=key == "where")
            for key, value in content.items()
            if value is not None or is_where
        }
    if isinstance(content, list):
        return [_without_none(item) for item in content]
    return content
