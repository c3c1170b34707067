"""What the engine says of itself, to whom, and when it takes it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from playwatch.core.deliveries import Action, Delivery
from playwatch.core.incidents import Incident, Status
from playwatch.core.routing import Route
from playwatch.core.rules import AlertType, Matcher, Severity
from playwatch.core.samples import Instant
from playwatch.core.silences import Silence as Quieting
from playwatch.runtime.complaints import Complaints, is_self_alert
from playwatch.runtime.quiet import Silence
from playwatch.runtime.self_alerts import SelfAlerts
from playwatch.runtime.vitals import Vitals

if TYPE_CHECKING:
    from playwatch.core.decisions import Decision

START = 1_800_000_000_000
ONCALL, OTHER = Route("oncall", "key-1"), Route("other", "key-2")
WELL = Vitals()
AWAY = Vitals(away={"mqtt://broker": "connection refused"})


@dataclass
class Engine:
    """Self-alerts, asked once a second how the engine is."""

    alerts: SelfAlerts = field(default_factory=lambda: SelfAlerts([ONCALL, OTHER], "here"))
    second: int = 0
    incidents: dict[str, Incident] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    quiet: list[Quieting] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._complaints = Complaints()

    @property
    def now(self) -> Instant:
        return Instant(START + self.second * 1000, self.second * 1000)

    def be(self, vitals: Vitals, seconds: int, *silences: Silence) -> list[str]:
        """Be like this for a while; return what was sent meanwhile."""
        before = len(self.deliveries)
        for _ in range(seconds):
            self.second += 1
            changes = self.alerts.tick(self._complaints.of(vitals, silences), self.now, self.quiet)
            self.incidents.update((one.id, one) for one in changes.incidents)
            self.deliveries += changes.deliveries
            self.decisions += changes.decisions
        return [f"{one.action.value} {one.channel}" for one in self.deliveries[before:]]

    @property
    def incident(self) -> Incident:
        (incident,) = self.incidents.values()
        return incident


def silent(source: str = "encoder-7", *, is_alone: bool = True) -> Silence:
    return Silence("samples/#", source, 420.0, 5.0, 60.0, is_alone)


def test_a_broker_that_is_away_for_a_minute_is_told_of() -> None:
    engine = Engine()

    assert engine.be(AWAY, 60) == []
    assert engine.be(AWAY, 1) == ["trigger oncall", "trigger other"]
    assert engine.incident.rule == "playwatch/broker"
    assert engine.incident.alert_type is AlertType.ENGINE
    assert "connection refused" in engine.incident.summary
    assert (engine.incident.opened_at - engine.incident.started_at) == 60_000


def test_a_broker_that_was_away_for_a_moment_is_not_told_of() -> None:
    engine = Engine()
    for _ in range(5):
        assert engine.be(AWAY, 50) == []
        assert engine.be(WELL, 1) == []


def test_what_comes_and_goes_is_one_incident() -> None:
    engine = Engine()
    engine.be(AWAY, 61)
    for _ in range(5):
        assert engine.be(WELL, 50) == []
        assert engine.be(AWAY, 70) == []

    assert engine.be(WELL, 61) == ["resolve oncall", "resolve other"]
    assert engine.incident.status is Status.CLOSED
    assert engine.incident.reason == "subscribed again"
    assert engine.incident.resolved_at == engine.incident.ended_at - 60_000  # type: ignore[operator] # set


def test_a_channel_is_not_told_that_it_does_not_work() -> None:
    engine = Engine()

    assert engine.be(Vitals(channels={"oncall": "wrong key"}), 5) == ["trigger other"]
    assert "wrong key" in engine.incident.summary
    assert engine.be(WELL, 61) == ["resolve other"]


def test_two_channels_that_do_not_work_do_not_talk_in_circles() -> None:
    engine = Engine()
    sick = {"oncall": "wrong key", "other": "wrong key"}

    sent = engine.be(Vitals(channels=sick), 3)
    for number in range(1, 50):
        sent += engine.be(Vitals(channels=sick, given_up=dict.fromkeys(sick, number)), 3)

    assert sorted(sent) == ["trigger oncall"] * 2 + ["trigger other"] * 2


def test_dead_letters_are_told_of_once_and_are_over_after_an_hour() -> None:
    engine = Engine()

    assert engine.be(Vitals(given_up={"other": 2}), 1) == ["trigger oncall"]
    assert engine.incident.summary.startswith("2 deliveries were given up by channel other")
    assert engine.be(Vitals(given_up={"other": 3}), 3600) == []
    assert engine.be(Vitals(given_up={"other": 3}), 2) == ["resolve oncall"]


def test_a_store_that_refuses_is_told_of_when_it_takes_commits_again() -> None:
    engine = Engine()

    assert engine.be(Vitals(can_store=False), 9) == []
    assert engine.be(Vitals(can_store=False), 2) == ["trigger oncall", "trigger other"]
    assert engine.incident.rule == "playwatch/store"


def test_a_silent_source_says_for_how_long_and_what_is_usual() -> None:
    engine = Engine()
    engine.be(WELL, 1, silent())

    incident = engine.incident
    assert incident.summary == ("Source encoder-7 has been silent for 7m (usually 5s at most)")
    assert incident.breakdowns == (("subscription", "samples/#"), ("source", "encoder-7"))
    assert incident.severity is Severity.WARNING
    assert incident.opened_at - incident.started_at == 420_000
    assert is_self_alert(incident)


def test_many_silent_sources_are_one_incident() -> None:
    engine = Engine()
    many = [silent(f"s{number}", is_alone=False) for number in range(8)]

    assert engine.be(WELL, 5, *many) == ["trigger oncall", "trigger other"]
    assert engine.incident.summary == (
        "8 sources of samples/# have fallen silent: s0, s1, s2, s3, s4 and 3 more"
    )


def test_a_source_that_is_forgotten_is_not_said_to_be_well() -> None:
    engine = Engine(SelfAlerts([ONCALL], "here", is_forgotten=lambda _: True))
    engine.be(WELL, 1, silent())
    engine.be(WELL, 61)

    assert engine.incident.reason == "not expected any more"


def test_an_open_incident_survives_a_restart_with_those_who_were_told() -> None:
    before = Engine()
    before.be(AWAY, 61)
    after = Engine(SelfAlerts([OTHER], "here"))
    after.alerts.adopt([before.incident], before.deliveries, after.now)

    assert after.be(AWAY, 120) == []
    assert after.be(WELL, 61) == ["resolve oncall", "resolve other"]
    assert after.incident.id == before.incident.id
    assert {one.key_fingerprint for one in after.deliveries} == {"key-1", "key-2"}


def test_nobody_to_tell_leaves_the_incident_on_record() -> None:
    engine = Engine(SelfAlerts([], "here"))

    assert engine.be(AWAY, 61) == []
    assert engine.incident.is_open


def test_the_same_trouble_later_is_another_incident() -> None:
    engine = Engine()
    engine.be(AWAY, 61)
    engine.be(WELL, 61)
    engine.be(AWAY, 61)

    first, second = engine.incidents.values()
    assert first.incident_key == second.incident_key
    assert first.dedup_key != second.dedup_key
    assert [one.action for one in engine.deliveries if one.channel == "oncall"] == [
        Action.TRIGGER,
        Action.RESOLVE,
        Action.TRIGGER,
    ]


@pytest.mark.parametrize("step_s", [-86_400, 86_400])
def test_a_stepped_clock_opens_and_ends_nothing(step_s: int) -> None:
    complaints = Complaints()
    alerts = SelfAlerts([ONCALL], "here")
    assert not alerts.tick(complaints.of(AWAY, []), Instant(START, 0))
    assert not alerts.tick(complaints.of(AWAY, []), Instant(START + step_s * 1000, 30_000))
    assert alerts.tick(complaints.of(AWAY, []), Instant(START + step_s * 1000, 60_000))
    assert not alerts.tick(complaints.of(WELL, []), Instant(START, 61_000))
    assert not alerts.tick(complaints.of(WELL, []), Instant(START + step_s * 1000, 90_000))


def test_a_channel_that_wants_no_ends_is_not_told_of_one() -> None:
    engine = Engine(SelfAlerts([Route("oncall", "key-1", sends_resolves=False), OTHER], "here"))

    assert engine.be(AWAY, 61) == ["trigger oncall", "trigger other"]
    assert engine.be(WELL, 600) == ["resolve other"]


def test_a_receiver_that_is_away_is_told_of_in_its_own_words() -> None:
    engine = Engine()

    assert engine.be(Vitals(unreachable={"oncall": "no answer"}), 1) == ["trigger other"]
    assert engine.incident.summary == "Channel oncall delivers nothing: no answer"


def test_a_channel_that_a_limit_holds_back_for_a_minute_is_told_of() -> None:
    engine = Engine()
    held = Vitals(held_back={"oncall": "9 deliveries wait, the oldest for 70 s"})

    assert engine.be(held, 60) == []
    assert engine.be(held, 1) == ["trigger other"]
    assert engine.incident.rule == "playwatch/rate-limit"
    assert "9 deliveries wait" in engine.incident.summary
    assert engine.be(WELL, 61) == ["resolve other"]


def test_a_silence_keeps_an_alert_of_the_engine_back_until_it_ends() -> None:
    engine = Engine()
    asked = Quieting("s", (Matcher("rule", ("playwatch/*",)),), START, START + 90_000, "ann")
    engine.quiet = [asked]

    assert engine.be(AWAY, 89) == []
    assert [one.what for one in engine.decisions] == ["opened", "withheld"]
    assert "silence s by ann" in engine.decisions[-1].reason
    assert engine.be(AWAY, 1) == ["trigger oncall", "trigger other"]
    assert [one.what for one in engine.decisions][2:] == ["told"]
    assert engine.be(WELL, 61) == ["resolve oncall", "resolve other"]


def test_what_began_and_ended_in_silence_is_never_told() -> None:
    engine = Engine()
    engine.quiet = [Quieting("s", (Matcher("rule", ("*",)),), START, START + 900_000, "ann")]

    assert engine.be(AWAY, 70) + engine.be(WELL, 70) == []
    assert engine.incident.status is Status.CLOSED


def test_a_silence_that_outlives_the_engine_still_holds_its_alert_back() -> None:
    before, after = Engine(), Engine()
    before.quiet = [Quieting("s", (Matcher("rule", ("*",)),), START, START + 900_000, "ann")]
    before.be(Vitals(channels={"oncall": "wrong key"}), 5)

    after.second = before.second
    after.quiet = before.quiet
    after.alerts.adopt([before.incident], [], after.now, {before.incident.id})
    assert after.be(Vitals(channels={"oncall": "wrong key"}), 5) == []
    after.quiet = []
    assert after.be(Vitals(channels={"oncall": "wrong key"}), 1) == ["trigger other"]
