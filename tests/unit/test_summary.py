"""The line that a responder reads first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from playwatch.core.summary import summarise
from tests.stage import VIEWERS, Stage, a_rule

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident


@pytest.fixture
def incident() -> Incident:
    stage = Stage(a_rule("> 5", by=("country", "bound")))
    stage.send(6.5, views=2000, country="DE", bound="a dimension")
    return stage.pipeline.open_incidents[0]


def test_the_built_in_line_says_what_how_much_where_and_for_whom(incident: Incident) -> None:
    assert summarise(incident) == (
        "Playback failure percentage 6.5 % (> 5) in country=DE, bound=a dimension:"
        " 130 of 2,000 views affected"
    )


def test_named_fields_and_dimensions_can_be_filled(incident: Incident) -> None:
    template = (
        "{severity}: {metric} {value:.2f} > {bound:g} in {country}, {affected}/{views} {rule}"
    )

    assert summarise(incident, template) == (
        "critical: playback_failure_percentage 6.50 > 5 in DE, 130/2000 failures"
    )


def test_a_dimension_cannot_take_the_name_of_a_field(incident: Incident) -> None:
    assert summarise(incident, "{bound:.1f}") == "5.0"


def test_a_value_with_braces_is_only_text(incident: Incident) -> None:
    odd = replace(incident, breakdowns=(("country", "{views}"),))

    assert summarise(odd, "in {country}") == "in {views}"


@pytest.mark.parametrize(
    "template",
    [
        "{value.__class__}",
        "{value[0]}",
        "{country[0]}",
        "{country.upper}",
        "{0}",
        "{}",
        "{unknown}",
        "{value",
        "}",
        "{country:.1f}",
        "{views:c}",
        "{value:,.1q}",
        "{value!z}",
        "{value:{value:{value}}}",
        "{value:99999999999999999999}",
        "{value:.99999999999}",
    ],
)
def test_a_template_that_cannot_be_filled_falls_back(incident: Incident, template: str) -> None:
    large = replace(incident, sample_size=2**40)

    assert summarise(large, template) == summarise(large)


def test_a_count_has_thousands_and_its_unit() -> None:
    stage = Stage(a_rule("> 1000", metric=VIEWERS))
    stage.send(1500, views=1)

    assert "1,500 viewers" in stage.pipeline.open_incidents[0].summary


def test_a_group_without_the_dimension_says_none() -> None:
    stage = Stage(a_rule("> 5", by=("country",)))
    stage.send(9)

    assert "in country=(none)" in stage.pipeline.open_incidents[0].summary
