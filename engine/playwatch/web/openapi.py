"""The OpenAPI document (3.1), made of the table of operations and their types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from playwatch import __version__
from playwatch.web.bodies import ProblemDocument
from playwatch.web.contract import answer
from playwatch.web.mux_documents import MuxError
from playwatch.web.operations import EVERY

if TYPE_CHECKING:
    from aiohttp import web

    from playwatch.web.operations import Operation

    Schema = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/{name}"
_PLACES: Final = re.compile(r"\{(\w+)\}")
_ABOUT: Final = (
    "What Playwatch knows of incidents, rules, series, channels and itself. Paths under /data"
    " answer as Mux's Incidents API does."
)


class OpenApi:
    """The handler of ``/api/v1/openapi.json``."""

    def __init__(self) -> None:
        self._document = document()

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_get("/api/v1/openapi.json", self.show)

    async def show(self, _request: web.Request) -> web.StreamResponse:
        """Answer with the document."""
        return answer(self._document)


def document() -> Schema:
    """Return the whole document."""
    kinds = [kind for one in EVERY for kind in (one.gives, one.query, one.body) if kind]
    every = [*kinds, ProblemDocument, MuxError]
    schemas, known = msgspec.json.schema_components(every, ref_template=_REFERENCE)
    of = dict(zip(map(repr, every), schemas, strict=True))
    paths: dict[str, Schema] = {}
    for one in EVERY:
        path = paths.setdefault(one.path, {})
        path[one.method.lower()] = _operation(one, of, known)
    asked = {_name(of[repr(one.query)]) for one in EVERY if one.query}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Playwatch", "version": __version__, "description": _ABOUT},
        # Relative to the document: it holds behind any prefix of a proxy.
        "servers": [{"url": "../.."}],
        "security": [{}, {"bearer": []}, {"basic": []}, {"session": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in EVERY)],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in known.items() if name not in asked},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
                "session": {"type": "apiKey", "in": "cookie", "name": "playwatch_session"},
            },
        },
    }


def _operation(one: Operation, of: Schema, known: Schema) -> Schema:
    places = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PLACES.findall(one.path)
    ]
    queries = [] if one.query is None else _parameters(known[_name(of[repr(one.query)])])
    problem = MuxError if one.tag == "mux" else ProblemDocument
    kind = "application/json" if one.tag == "mux" else "application/problem+json"
    failure = {"content": {kind: {"schema": of[repr(problem)]}}}
    found: Schema = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": [*places, *queries],
        "responses": {
            str(one.status): {
                "description": "All is well.",
                "content": {"application/json": {"schema": of[repr(one.gives)]}},
            },
            "4XX": {"description": "The caller can mend it.", **failure},
            "503": {"description": "The store cannot be read or written now.", **failure},
        },
    }
    if one.body is not None:
        content = {"application/json": {"schema": of[repr(one.body)]}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameters(schema: Schema) -> list[Schema]:
    """Return the parameters that a query's fields are."""
    needed = set(schema.get("required", ()))
    parameters = []
    for name, described in schema["properties"].items():
        value = dict(described)
        choices = [each for each in value.pop("anyOf", []) if each != {"type": "null"}]
        if len(choices) == 1:
            value |= choices[0]
        if value.get("default", 0) is None:
            del value["default"]
        about = value.pop("description", "")
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in needed,
                "schema": value,
                **({"description": about} if about else {}),
            }
        )
    return parameters


def _name(reference: Schema) -> str:
    name: str = reference["$ref"].rpartition("/")[2]
    return name
