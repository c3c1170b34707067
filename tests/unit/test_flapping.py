"""A run of flapping is one incident, one page and one resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwatch.core.deliveries import Action
from tests.stage import START, Stage, a_rule

if TYPE_CHECKING:
    from playwatch.core.rules import Rule


def flappy(within_s: float = 600.0, for_s: float = 0.0, resolve_for_s: float = 0.0) -> Rule:
    return a_rule(
        "> 5",
        window_s=10 if for_s else 1,
        for_s=for_s,
        resolve_for_s=resolve_for_s,
        flap_within_s=within_s,
    )


def swing(stage: Stage, *values: float, every_s: int = 60) -> list[str]:
    words: list[str] = []
    for value in values:
        words += stage.report(value, times=1, every_s=every_s)
    return words


def test_a_run_of_flapping_is_one_incident_with_its_count() -> None:
    stage = Stage(flappy())

    assert swing(stage, 9, 1, 9, 1, 9, 1) == ["opened", "flapped", "flapped"]
    assert stage.wait(600) == ["resolved"]
    (incident,) = stage.incidents.values()
    assert incident.flaps == 2
    assert incident.summary.endswith(", flapped 2 times")
    assert incident.started_at == START
    assert incident.resolved_at == START + 5 * 60_000
    assert incident.reason == "<= 5, and not bad again for 10 min"


def test_a_run_of_flapping_is_one_page_and_one_resolve() -> None:
    stage = Stage(flappy())
    swing(stage, 9, 1, 9, 1, 9, 1)
    stage.wait(700)

    assert [one.action for one in stage.deliveries] == [Action.TRIGGER, Action.RESOLVE]


def test_what_stays_away_long_enough_is_a_new_incident() -> None:
    stage = Stage(flappy(within_s=60))

    assert swing(stage, 9, 1, every_s=61) == ["opened", "resolved"]
    assert swing(stage, 9) == ["opened"]
    assert len(stage.incidents) == 2


def test_a_short_spike_that_would_not_have_opened_is_no_flap() -> None:
    stage = Stage(flappy(within_s=100, for_s=30))
    stage.report(9, times=4, every_s=10)
    assert stage.is_open

    stage.report(1, times=5, every_s=10)
    stage.report(9, times=2, every_s=10)
    assert stage.report(1, times=5, every_s=10) == ["resolved"]
    assert next(iter(stage.incidents.values())).flaps == 0


def test_a_breach_that_outlasts_the_wait_opens_the_next_incident_in_time() -> None:
    """Its time since the crossing counts on."""
    stage = Stage(flappy(within_s=60, for_s=30))
    stage.report(9, times=4, every_s=10)
    stage.report(1, times=4, every_s=10)

    words = stage.report(9, times=6, every_s=10)
    assert words == ["resolved", "opened"]
    (_, second) = stage.log[-1]
    assert second.opened_at - second.started_at == 30_000


def test_silence_does_not_keep_it_open() -> None:
    stage = Stage(flappy(within_s=60))
    swing(stage, 9, 1, every_s=5)

    assert stage.wait(60) == ["resolved"]


def test_a_flap_can_be_worse_than_what_began_it() -> None:
    stage = Stage(a_rule("> 5", warning=3, window_s=1, flap_within_s=600))

    assert swing(stage, 4, 1, 9) == ["opened", "flapped", "rose"]


def test_the_wait_survives_a_restart() -> None:
    stage = Stage(flappy())
    swing(stage, 9, 1, every_s=10)

    assert stage.restart(away_s=5) == []
    assert swing(stage, 9, 1)[:1] in (["flapped"], [])
    assert len(stage.incidents) == 1
