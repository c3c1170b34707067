"""What a backtest says of recorded samples: incidents, differences, suggestions, mistakes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from playwatch.config.load import load_config
from playwatch.core.samples import Instant
from playwatch.ingest.recordings import RecordingError
from playwatch.ingest.recordings_writer import RecordingWriter
from playwatch.ports import Message
from playwatch.runtime.backtest import backtest, covered_ms
from playwatch.runtime.backtest_compare import compare
from playwatch.runtime.backtest_traces import Traces
from playwatch.runtime.replay import Evaluation, replayed
from playwatch.runtime.replay_inputs import Inputs
from playwatch.runtime.suggest import SuggestError, budget_per_week, suggest
from playwatch.web.report import render_report

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.config.schema import Settings
    from playwatch.runtime.backtest import Backtest

START = 1_800_000_000_000
METRIC = "playback_failure_percentage"
RULE = f'{{name: failures, metric: {METRIC}, by: [country], window: 10s, trigger: "> 5"'


def configured(folder: Path, rule: str = f"{RULE}}}", name: str = "a.yaml") -> Settings:
    path = folder / name
    path.write_text(
        f'mqtt: {{url: "mqtt://127.0.0.1"}}\nrules:\n  - {rule}\n'
        "channels:\n  - {name: terminal, service: console}\n"
    )
    return load_config(path, environ={})


def csv_of(folder: Path, *rows: str, header: str = "at,metric,value,views,country") -> Path:
    path = folder / "samples.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def bumps(folder: Path, *heights: float, country: str = "DE") -> Path:
    """Write samples each 10 s: a minute at 1 %, a minute at each height, and so on."""
    values = [1.0] * 6
    for height in heights:
        values += [height] * 6 + [1.0] * 6
    rows = [
        f"{START + 10_000 * number},{METRIC},{value},100,{country}"
        for number, value in enumerate(values)
    ]
    return csv_of(folder, *rows)


def complaints_of(folder: Path, path: Path) -> tuple[Inputs, int]:
    inputs = Inputs([path])
    evaluation = Evaluation(configured(folder))
    list(replayed(inputs, evaluation))
    return inputs, evaluation.samples


def test_an_incident_is_told_with_times_peak_and_pages(tmp_path: Path) -> None:
    found = backtest(Inputs([bumps(tmp_path, 9.0)]), configured(tmp_path))

    (outcome,) = found.outcomes
    assert outcome.incident.started_at == START + 60_000
    assert outcome.end_at(found.until_at) == START + 120_000
    assert outcome.incident.peak_value == 9.0
    assert outcome.pages == {"terminal": 1}
    assert found.samples == 18
    assert found.per_week(found.pages) == pytest.approx(7 * 86_400_000 / 170_000)
    assert found.sums()[0].in_incident_ms == 60_000


def test_json_lines_and_csv_give_the_same_incidents(tmp_path: Path) -> None:
    table = bumps(tmp_path, 9.0, 7.0)
    lines = tmp_path / "samples.jsonl"
    rows = [row.split(",") for row in table.read_text().splitlines()[1:]]
    lines.write_text(
        "".join(
            json.dumps(
                {
                    "metric": metric,
                    "at": int(at),
                    "value": float(value),
                    "views": int(views),
                    "dimensions": {"country": country},
                }
            )
            + "\n"
            for at, metric, value, views, country in reversed(rows)
        )
    )
    config = configured(tmp_path)

    ours, theirs = backtest(Inputs([table]), config), backtest(Inputs([lines]), config)

    assert len(ours.outcomes) == 2
    assert ours.outcomes == theirs.outcomes


def test_bad_lines_of_a_csv_are_named_and_the_good_ones_kept(tmp_path: Path) -> None:
    path = csv_of(
        tmp_path,
        f"{START},{METRIC},1,10,DE",
        f"{START},{METRIC},many,10,DE",
        f",{METRIC},1,10,DE",
        f"1800000000,{METRIC},1,10,DE",
        f"{START},{METRIC},1",
        f"{START},playback_failure,1,10,DE",
        f"{START},{METRIC},101,10,DE",
        f"{START},{METRIC},1,-1,DE",
        f"2027-01-15T08:00:01,{METRIC},1,10,DE",
        f"2027-01-15T08:00:01Z,{METRIC},1,,",
    )

    inputs, samples = complaints_of(tmp_path, path)

    assert samples == 2
    assert inputs.left_out == 8
    told = "\n".join(inputs.complaints)
    for line, what in (
        (3, "no number"),
        (4, "at is missing"),
        (5, "seconds?"),
        (6, "3 cells, the header has 5"),
        (7, "playback_failure"),
        (8, "not in 0 to 100"),
        (9, "views"),
        (10, "time zone"),
    ):
        assert any(
            complaint.startswith(f"{path}:{line}: ") and what in complaint
            for complaint in inputs.complaints
        ), f"{line} {what}:\n{told}"


def test_bad_json_lines_are_named_and_the_good_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(
        f'{{"metric": "{METRIC}", "value": 1, "at": {START}}}\n'
        "\n"
        f'{{"metric": "{METRIC}", "value": 1}}\n'
        "{nonsense\n"
        f'{{"metric": "{METRIC}", "value": [1, 2], "at": {START + 1}}}\n'
    )

    inputs, samples = complaints_of(tmp_path, path)

    assert samples == 3
    assert [complaint.split(": ")[0] for complaint in sorted(inputs.complaints)] == [
        f"{path}:3",
        f"{path}:4",
    ]
    assert inputs.left_out == 2


def test_complaints_are_bounded_and_counted(tmp_path: Path) -> None:
    path = csv_of(tmp_path, *[f"{START},{METRIC},x,1,DE"] * 1000)

    inputs, samples = complaints_of(tmp_path, path)

    assert (samples, inputs.left_out) == (0, 1000)
    assert len(inputs.complaints) == 20


def test_a_csv_without_a_time_column_is_refused(tmp_path: Path) -> None:
    path = csv_of(tmp_path, header="metric,value")

    with pytest.raises(RecordingError, match="no column at"):
        complaints_of(tmp_path, path)


def test_a_missing_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is not a file"):
        Inputs([tmp_path / "nowhere.rec"])


def test_a_rule_set_compared_with_itself_is_the_same(tmp_path: Path) -> None:
    found = backtest(Inputs([bumps(tmp_path, 9.0, 7.0)]), configured(tmp_path))

    difference = compare(found, found)

    assert difference.same == 2
    assert (difference.only_a, difference.only_b, difference.changed) == ((), (), ())


def test_a_stricter_and_slower_rule_set_loses_one_and_delays_the_other(tmp_path: Path) -> None:
    path = bumps(tmp_path, 9.0, 7.0)
    stricter = f"{RULE.replace('> 5', '> 8')}, for: 20s, resolve_for: 0s}}"
    a = backtest(Inputs([path]), configured(tmp_path))
    b = backtest(Inputs([path]), configured(tmp_path, stricter, "b.yaml"))

    difference = compare(a, b)

    (lost,) = difference.only_a
    (pair,) = difference.changed
    assert lost.incident.peak_value == 7.0
    assert difference.only_b == ()
    assert (pair.later_ms, pair.longer_ms) == (20_000, 0)
    assert compare(b, a).only_b == (lost,)


def test_a_suggestion_keeps_the_budget(tmp_path: Path) -> None:
    config = configured(tmp_path)
    inputs = Inputs([bumps(tmp_path, 20.0, 9.0, 9.0, 9.0)])
    (rule,) = config.core_rules()
    one_in_the_data = 7 * 86_400_000 / (53 * 10_000)

    found = suggest(inputs, config, rule, one_in_the_data)

    assert found.best is not None
    assert found.best.incidents == 1
    assert 9.0 <= found.best.bound.limit < 20.0
    assert any(not trial.is_within for trial in found.trials)


def test_a_suggestion_for_what_was_never_seen_says_so(tmp_path: Path) -> None:
    config = configured(tmp_path)
    path = csv_of(tmp_path, f"{START},video_startup_time,1,10,DE")

    with pytest.raises(SuggestError, match="nothing that rule failures watches"):
        suggest(Inputs([path]), config, config.core_rules()[0], 3)


@pytest.mark.parametrize(
    ("text", "weekly"), [("3 per week", 3.0), ("1 per day", 7.0), ("0.5 a week", 0.5)]
)
def test_a_budget_is_read_as_people_write_it(text: str, weekly: float) -> None:
    assert budget_per_week(text) == weekly


def test_another_text_is_no_budget() -> None:
    with pytest.raises(SuggestError, match="3 per week"):
        budget_per_week("few")


def test_time_covered_twice_counts_once() -> None:
    assert covered_ms([(0, 10), (5, 7), (8, 20), (30, 31)]) == 21


def test_sessions_of_one_recording_go_on_in_time(tmp_path: Path) -> None:
    """The second session's monotonic clock began anew; the incident's length does not."""
    path = tmp_path / "two.rec"
    payload = json.dumps({"metric": METRIC, "value": 9, "dimensions": {"country": "DE"}}).encode()
    message = Message("playwatch/samples/x", payload, "native")
    for number, monotonic_ms in enumerate((900_000, 5_000)):
        at = START + 60_000 * number
        writer = RecordingWriter.open(path, Instant(at, monotonic_ms), append=number > 0)
        writer.read([message], Instant(at, monotonic_ms))
        writer.tick(Instant(at + 1_000, monotonic_ms + 1_000))
        writer.close()

    found = backtest(Inputs([path]), configured(tmp_path))

    assert found.length_ms == 61_000
    assert [outcome.incident.started_at for outcome in found.outcomes] == [START]


class Outside(HTMLParser):
    """Finds what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in {"link", "iframe", "img", "object"} or {"src", "href"} & names:
            self.found.append(tag)


def reported(folder: Path, path: Path) -> tuple[str, Backtest]:
    traces = Traces()
    found = backtest(Inputs([path]), configured(folder), traces=traces)
    return render_report(found, traces, "a<b>.yaml"), found


def test_a_report_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    page, found = reported(tmp_path, bumps(tmp_path, 9.0))

    assert len(found.outcomes) == 1
    outside = Outside()
    outside.feed(page)
    assert outside.found == []
    assert "default-src 'none'" in page
    assert "country=DE" in page


def test_hostile_names_are_only_text_in_a_report(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>"
    page, found = reported(tmp_path, bumps(tmp_path, 9.0, country=hostile))

    assert found.outcomes[0].incident.breakdowns == (("country", hostile),)
    assert "alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "a&lt;b&gt;.yaml" in page


def test_a_report_without_incidents_says_so(tmp_path: Path) -> None:
    page, _ = reported(tmp_path, bumps(tmp_path, 2.0))

    assert "no rule would have opened an incident" in page


def test_traces_keep_the_peak_of_an_incident(tmp_path: Path) -> None:
    traces = Traces()
    backtest(Inputs([bumps(tmp_path, 9.0)]), configured(tmp_path), traces=traces)

    times, values = traces.points("failures", (("country", "DE"),))

    assert times == sorted(times)
    assert max(values) == 9.0
    assert traces.points("failures", (("country", "SE"),)) == ([], [])


def learning(folder: Path) -> tuple[Path, Settings]:
    """Return an hour of 1 % that ends with five bad minutes, and what learns it."""
    rows = [
        f"2026-11-23T10:{minute:02}:00Z,{METRIC},{40 if minute >= 50 else 1},500,DE"
        for minute in range(55)
    ]
    path = folder / "learned.yaml"
    path.write_text(
        'mqtt: {url: "mqtt://127.0.0.1"}\nanomalies:\n'
        f"  - {{name: learned, metric: {METRIC}, by: [[country]]}}\n"
        "channels:\n  - {name: terminal, service: console}\n"
    )
    return csv_of(folder, *rows), load_config(path, environ={})


def test_traces_keep_what_was_normal_for_a_learned_rule(tmp_path: Path) -> None:
    samples, settings = learning(tmp_path)
    traces = Traces()
    found = backtest(Inputs([samples]), settings, traces=traces)
    normal = traces.normal("learned", (("country", "DE"),))

    assert len(found.outcomes) == 1
    assert [at for at, _ in normal] == sorted({at for at, _ in normal})
    expected, low, high = normal[-1][1]
    assert low < expected < high < 40
    assert (
        traces.normal("learned", (("country", "SE"),))
        == traces.normal("unknown", (("country", "DE"),))
        == []
    )
    page = render_report(found, traces, "learned.yaml")
    assert "the band is what was normal" in page
    assert "expected" in page


def test_what_an_outage_held_back_counts_for_the_time_it_is_of(tmp_path: Path) -> None:
    path, settings = tmp_path / "after-an-outage.rec", configured(tmp_path)
    writer = RecordingWriter.open(path, Instant(START, 0))
    for second in range(-1800, 1, 10):
        value = 9 if second < -900 else 1
        sample = {"metric": METRIC, "value": value, "at": START + 1000 * second}
        payload = json.dumps({**sample, "dimensions": {"country": "DE"}}).encode()
        message = Message("playwatch/samples/site", payload, "native")
        writer.read([message], Instant(START + 1800 + second, 1800 + second))
    writer.close()

    found = backtest(Inputs([path]), settings)

    assert found.from_at == START - 1_800_000
    (rule,) = found.sums()
    assert rule.incidents == 1
    assert 0 < rule.in_incident_ms < found.length_ms
