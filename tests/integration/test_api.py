"""Our own API: what it answers, what it refuses, and that its document tells the truth."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from playwatch.web.openapi import document
from playwatch.web.operations import EVERY
from tests.integration.test_engine import sample, send
from tests.integration.test_reload import TOKEN, Site, asked, gauge
from tests.integration.test_silencing import open_ids
from tests.waiting import PATIENCE_S, soon

if TYPE_CHECKING:
    from schemathesis.schemas import BaseSchema

    from playwatch.app import Engine

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


async def got(engine: Engine, path: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    found, answer = await asked(engine, "GET", f"/api/v1/{path}", token=None)
    assert found == status, answer
    return answer


async def with_incidents(site: Site, engine: Engine) -> list[str]:
    """Open an incident in each of two countries."""
    kind = {"type": "threshold"}
    registry = engine.telemetry.registry
    for number, (value, country) in enumerate(((9.0, "SE"), (12.0, "DE")), 1):
        await send(engine, sample(value, country))
        await soon(
            lambda: registry.get_sample_value("playwatch_incidents_open", kind) == number  # noqa: B023
        )
        await site.clock.advance(1)
    return await open_ids(site)


async def test_incidents_are_filtered_paged_and_told_whole(site: Site) -> None:
    async with site.running() as engine:
        await with_incidents(site, engine)
        listed = await got(engine, "incidents")
        assert (listed["total"], listed["limit"], listed["offset"]) == (2, 100, 0)
        newest, oldest = listed["incidents"]
        assert (newest["breakdowns"], newest["measured_value"]) == ({"country": "DE"}, 12.0)
        assert await got(engine, f"incidents/{oldest['id']}") == {
            **oldest,
            **{
                name: (await got(engine, f"incidents/{oldest['id']}"))[name]
                for name in ("deliveries", "decisions", "remarks")
            },
        }
        for query, expected in (
            ("status=open&alert_type=threshold&severity=critical&severity=error", 2),
            ("severity=warning", 0),
            ("status=ended", 0),
            ("status=open&q=FAILURES%20se", 1),  # unlike "de", never part of an id
            ("q=failures%20nowhere", 0),
            ("dimension=country:DE", 1),
            ("dimension=country:DE&dimension=country:DE", 1),
            ("dimension=country:DE&dimension=country:SE", 0),
            ("rule=failures&metric=playback_failure_percentage", 2),
            ("rule=unknown", 0),
            ("from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00%2B01:00", 0),
            (f"related_to={oldest['id']}", 1),
            ("order=impact&direction=asc&limit=1&offset=1", 2),
            ("offset=2147483647", 2),
        ):
            assert (await got(engine, f"incidents?{query}"))["total"] == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "status=opened",
        f"q={'x' * 201}",
        "limit=0",
        "limit=1001",
        "limit=ten",
        "offset=-1",
        "from=yesterday",
        "from=2026-01-01T00:00:00",
        "dimension=country",
        "stauts=open",
        "rule=a&rule=b",
        "rule=%00",
        "order=luck",
    ],
)
async def test_a_query_that_cannot_be_understood_names_its_mistake(site: Site, query: str) -> None:
    async with site.running() as engine:
        problem = await got(engine, f"incidents?{query}", 400)
    assert problem["status"] == 400
    name = query.partition("=")[0]
    assert name in problem["detail"] or "UTF-8" in problem["detail"]


@pytest.mark.parametrize("path", ["deliveries", "audit", "silences"])
async def test_every_list_is_paged_and_refuses_what_is_no_number(site: Site, path: str) -> None:
    async with site.running() as engine:
        assert await got(engine, f"{path}?limit=1&offset=5") == []
        for query in (
            "limit=1001",
            "offset=-1",
            f"limit={'9' * 5_000}",
            "limit=\u0663",
            "limit=1.5",
        ):
            problem = await got(engine, f"{path}?{query}", 400)
            assert query.partition("=")[0] in problem["detail"]


async def test_rules_series_and_status_tell_how_things_stand(site: Site) -> None:
    async with site.running() as engine:
        await with_incidents(site, engine)
        await site.clock.advance(2)
        rule, *learned = await got(engine, "rules")
        assert {one["alert_type"] for one in learned} == {"anomaly"}
        models = await got(engine, "models")
        assert [one["rule"] for one in models] == [one["name"] for one in learned]
        assert models[0]["judged"] == 0
        assert (rule["name"], rule["groups"], rule["phases"]["open"]) == ("failures", 2, 2)
        assert rule["tiers"] == [{"severity": "critical", "bound": 5.0}]
        assert rule["nearest"]["margin"] == -7.0
        groups = await got(engine, "rules/failures/groups?q=de")
        assert [one["group"] for one in groups] == [{"country": "DE"}]
        assert groups[0]["incident_id"] is not None
        every = await got(engine, "rules/failures/groups")
        assert await got(engine, "rules/failures/groups?limit=1&offset=1") == every[1:]
        assert await got(engine, "rules/failures/groups?offset=2147483647") == []
        await got(engine, "rules/unknown/groups", 404)
        (metric,) = await got(engine, "metrics")
        assert (metric["series"], metric["dimensions"]) == (2, {"country": 2})
        found = await got(engine, "series?metric=playback_failure_percentage&q=DE")
        assert found["total"] == 1
        assert found["series"][0]["value"] == 12.0
        assert (await got(engine, "series?metric=unknown"))["series"] == []
        await got(engine, "series", 400)
        status = await got(engine, "status")
        assert status["ready"]
        assert (status["samples"]["received"], status["series"], status["incidents_open"]) == (
            2,
            2,
            2,
        )
        assert status["samples"]["lag_s"] is not None


async def test_history_is_told_minute_by_minute(site: Site) -> None:
    async with site.running() as engine:
        await send(engine, sample(1.0))
        await soon(lambda: gauge(engine, "playwatch_series") == 1)
        await site.clock.advance(70)
        query = "series/history?metric=playback_failure_percentage&dimension=country:SE"

        async def points() -> list[Any]:
            found: list[Any] = (await got(engine, query))["points"]
            return found

        async with asyncio.timeout(PATIENCE_S):
            while not (known := await points()):
                pass
        assert known[0]["value"] == 1.0
        assert (await got(engine, query.replace("SE", "XX")))["points"] == []
        await got(engine, query.replace("metric=playback", "metric=x"), 404)
        await got(engine, f"{query}&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 400)


async def test_the_document_is_valid_and_names_every_path_that_is_served(site: Site) -> None:
    async with site.running() as engine:
        served = await got(engine, "openapi.json")
        assert served == json.loads(json.dumps(document()))
        OpenAPIV31SpecValidator(served).validate()
        undescribed = []
        for one in EVERY:
            path = re.sub(r"\{\w+\}", "x", one.path)
            found, _ = await asked(engine, "PROPFIND", path)
            undescribed += [path] if found == 404 else []
    assert undescribed == []


def test_every_path_of_the_api_is_described() -> None:
    """Reads the sources: a path that is added is described too."""
    described = {(one.method, one.path) for one in EVERY}
    folder = Path(__file__).parents[2] / "engine/playwatch/web"
    added = {
        (method.upper(), path)
        for file in folder.glob("*.py")
        for method, path in re.findall(
            r'add_(get|post|patch|delete|put)\(\s*"(/api/[^"]+)"', file.read_text()
        )
    }
    assert added - {("GET", "/api/v1/openapi.json")} <= described
    assert {path for _, path in described if path.startswith("/api/")} == {
        path for _, path in added if path != "/api/v1/openapi.json"
    }


async def test_no_request_that_a_machine_thinks_of_breaks_it(site: Site) -> None:
    async with site.running() as engine:
        await with_incidents(site, engine)
        schema = schemathesis.openapi.from_dict(document())
        headers = {"Authorization": f"Bearer {TOKEN}"}
        wrong = await asyncio.to_thread(_fuzzed, schema, engine.web_url, headers)
    assert wrong == []


async def test_no_json_in_the_place_of_another_breaks_it(site: Site) -> None:
    anything: tuple[object, ...] = (None, True, -1, 1e308, 10**400, "", [], [[]], {}, {"a": []})
    bodies: dict[str, dict[str, object]] = {
        "POST silences": {"matchers": {"rule": "*"}, "author": "ann", "for": "1h"},
        "POST incidents/x/note": {"author": "ann", "text": "x"},
        "POST channels": {"name": "x", "service": "console", "alert_types": "all", "where": {}},
        "PATCH channels/x": {"enabled": False, "open_incidents": "leave", "author": "ann"},
        "POST deliveries/purge": {"ids": ["x"], "author": "ann"},
    }
    async with site.running() as engine:
        for operation, body in bodies.items():
            method, _, path = operation.partition(" ")
            for name in body:
                for value in anything:
                    sent = {**body, name: value}
                    status, _ = await asked(engine, method, f"/api/v1/{path}", sent, token=TOKEN)
                    assert status < 500, (operation, sent)


def _fuzzed(schema: BaseSchema, url: str, headers: dict[str, str]) -> list[str]:
    """Send what fits the document and what does not to each operation; return what broke."""
    wrong: list[str] = []
    for result in schema.get_all_operations():
        if not isinstance(result, Ok):
            wrong.append(str(result.err()))
            continue
        operation = result.ok()
        for mode in GenerationMode:

            @seed(7)
            @settings(
                max_examples=4,
                deadline=None,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy(mode))
            def holds(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

            try:
                holds()
            except Unsatisfiable:
                continue  # nothing can be wrong about a path that takes nothing
            except (FailureGroup, Failure) as error:
                wrong.append(f"{operation.label} {mode.value}: {error}")
    return wrong
