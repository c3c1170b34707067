"""Who is silent for longer than usual, and who is only quiet at night."""

from __future__ import annotations

import pytest

from playwatch.runtime.quiet import ALONE, CROWD, Quiet

TOPIC = "playwatch/samples/#"
HOUR = 3600


class Evening:
    """One subscription, listened to second by second; time is the test's."""

    def __init__(self, quiet_after: float | str = "auto") -> None:
        self.quiet = Quiet({TOPIC: quiet_after})  # type: ignore[dict-item] # "auto", "off", seconds
        self.second = 0
        self.told: list[tuple[int, str]] = []
        self._silent: set[str] = set()
        self.quiet.tick(0, is_listening=True)

    def pass_time(self, seconds: float, *, is_listening: bool = True) -> None:
        for _ in range(round(seconds)):
            self.second += 1
            self.quiet.tick(self.second * 1000, is_listening=is_listening)
            silent = {each.source for each in self.quiet.silences()}
            self.told += [(self.second, source) for source in sorted(silent - self._silent)]
            self._silent = silent

    def hear(self, *sources: str) -> None:
        self.quiet.heard(TOPIC, sources, self.second * 1000)

    def speak(self, seconds: float, *sources: str, every_s: int = 5) -> None:
        """Let sources speak regularly for a while."""
        for _ in range(round(seconds / every_s)):
            self.pass_time(every_s)
            self.hear(*sources)

    @property
    def silent(self) -> set[str]:
        return {each.source for each in self.quiet.silences()}


def test_a_source_that_stops_is_told_of_after_a_minute() -> None:
    evening = Evening()
    evening.speak(HOUR, "a", "b")

    evening.speak(120, "b")

    assert evening.told == [(HOUR + 61, "a")]
    (silence,) = evening.quiet.silences()
    assert (silence.source, silence.usual_s, silence.limit_s) == ("a", 5.0, 60.0)


def test_a_source_that_speaks_again_is_no_longer_silent() -> None:
    evening = Evening()
    evening.speak(HOUR, "a", "b")
    evening.speak(120, "b")

    evening.hear("a")

    assert evening.silent == set()


def test_three_times_the_usual_silence_is_unusual() -> None:
    evening = Evening()
    evening.speak(4 * HOUR, "slow", every_s=120)
    evening.pass_time(359)
    assert evening.silent == set()

    evening.pass_time(2)
    assert evening.silent == {""}


def test_when_a_subscription_falls_silent_its_sources_are_not_told_of_as_well() -> None:
    evening = Evening()
    evening.speak(HOUR, "a", "b")

    evening.pass_time(HOUR)

    assert evening.told == [(HOUR + 61, "")]


def test_sources_get_time_to_come_back_with_their_subscription() -> None:
    evening = Evening()
    evening.speak(HOUR, "a", "b")
    evening.pass_time(600)

    evening.speak(50, "a")
    assert evening.silent == set()

    evening.speak(60, "a")
    assert evening.silent == {"b"}


def test_nobody_is_expected_before_it_is_known() -> None:
    evening = Evening()
    evening.speak(300, "a", "b")

    evening.speak(HOUR, "b")

    assert evening.told == []


def test_one_outage_does_not_make_the_next_one_usual() -> None:
    evening = Evening()
    evening.speak(HOUR, "a", "b")
    evening.speak(1800, "b")
    evening.speak(HOUR, "a", "b")

    evening.speak(70, "b")

    assert evening.silent == {"a"}


def test_a_quiet_night_is_told_of_twice_at_most_and_then_is_usual() -> None:
    evening = Evening()
    evening.speak(4 * HOUR, "a", "b")
    for _ in range(10):
        evening.speak(900, "b")
        evening.hear("a", "b")

    evening.speak(2 * HOUR, "a", "b")

    assert [source for _, source in evening.told] == ["a", "a"]


def test_whoever_slows_down_by_degrees_is_never_told_of() -> None:
    evening = Evening()
    for every_s in (5, 12, 30, 60, 120, 240, 480, 900):
        evening.speak(2 * HOUR, "a", every_s=every_s)

    assert evening.told == []


def test_an_hourly_report_is_not_taken_for_a_stream_that_stopped() -> None:
    evening = Evening()
    for _ in range(12):
        evening.speak(20, "report", every_s=1)
        evening.pass_time(HOUR)

    assert evening.told == []


def test_time_that_nobody_listened_is_no_silence() -> None:
    evening = Evening()
    evening.speak(HOUR, "a")

    evening.pass_time(HOUR, is_listening=False)
    evening.pass_time(55)

    assert evening.silent == set()


def test_an_engine_that_stood_still_blames_nobody() -> None:
    evening = Evening()
    evening.speak(HOUR, "a")

    evening.second += 2 * HOUR
    evening.pass_time(50)

    assert evening.silent == set()


def test_a_given_patience_holds_from_the_start() -> None:
    evening = Evening(300.0)

    evening.pass_time(301)

    (silence,) = evening.quiet.silences()
    assert (silence.source, silence.usual_s, silence.limit_s) == ("", None, 300.0)


def test_a_given_patience_holds_for_sources_too() -> None:
    evening = Evening(10.0)
    evening.hear("a", "b")
    evening.speak(20, "b")

    assert evening.silent == {"a"}


def test_off_means_that_nobody_is_listened_to() -> None:
    evening = Evening("off")
    evening.speak(HOUR, "a")
    evening.pass_time(HOUR)

    assert evening.silent == set()


def test_many_sources_that_stop_at_once_are_told_of_together() -> None:
    sources = [f"s{number}" for number in range(ALONE + 2)]
    evening = Evening()
    evening.speak(HOUR, *sources)
    evening.speak(70, "s0")

    assert {each.is_alone for each in evening.quiet.silences()} == {False}


def test_sources_that_are_viewers_are_listened_to_as_a_whole() -> None:
    evening = Evening()
    evening.speak(HOUR, *(f"viewer-{number}" for number in range(CROWD + 1)))
    evening.pass_time(HOUR)

    assert evening.silent == {""}
    assert evening.quiet.crowds == {TOPIC}


def test_a_source_silent_for_a_day_is_forgotten() -> None:
    evening = Evening(HOUR)
    evening.hear("old")
    evening.speak(24 * HOUR, every_s=60)
    assert evening.silent == {"old"}

    evening.speak(120, every_s=60)

    assert evening.silent == set()
    assert not evening.quiet.is_known(TOPIC, "old")


def test_what_was_learned_survives_a_restart() -> None:
    before = Evening()
    before.speak(HOUR, "a", "b", "gone")
    before.speak(100, "a", "b")
    after = Evening()
    after.quiet.restore(before.quiet.state())

    assert after.silent == {"gone"}
    after.speak(70, "b")
    assert after.silent == {"gone", "a"}


@pytest.mark.parametrize("state", [b"", b"[]", b'{"version": 1, "voices": [["a", "b", {}]]}'])
def test_a_state_that_cannot_be_read_changes_nothing(state: bytes) -> None:
    evening = Evening()

    with pytest.raises(ValueError, match="is not what was saved"):
        evening.quiet.restore(state)

    assert evening.quiet.silences() == []


def test_a_subscription_that_is_gone_takes_its_sources_with_it() -> None:
    evening = Evening()
    evening.speak(HOUR, "a")
    evening.quiet.reconfigure({"other/#": "auto"})
    evening.pass_time(HOUR)

    assert evening.silent == set()
    evening.hear("a")
