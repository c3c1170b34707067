from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from msgspec import msgpack

from playwatch.bench import samples
from playwatch.bench.brokers import broker
from playwatch.bench.child import BenchError, Child
from playwatch.bench.engine import metric
from playwatch.bench.figures import Measured, Plan, Spread, Storm, Throughput
from playwatch.bench.page import render_page, write_page
from playwatch.bench.wire import remaining_length
from playwatch.cli.bench_table import bench_tables
from playwatch.web.paper import ReportError

if TYPE_CHECKING:
    from pathlib import Path

    from playwatch.bench.brokers import BrokerChoice


def measured(
    *, counted: int = 2000, cpu_s: float | None = 0.5, storm: Storm | None = None
) -> Measured:
    return Measured(
        plan=Plan(series=1000, breaches=4, storm=3, seconds=1.0),
        broker="mosquitto 2.0 <x>",
        caveat="",
        processors=2,
        trigger=Spread([3.0, 4.0, 5.0, 60.0]),
        resolve=Spread([2.0, 3.0, 4.0, 5.0]),
        throughput=[Throughput("columns", 2, 2000, counted, 2.0, cpu_s)],
        storm=storm or Storm(3, [10.0, 11.0, 12.5], 0, 0),
    )


class Outside(HTMLParser):
    """Finds what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"link", "iframe", "img"} or {"src", "href"} & {name for name, _ in attrs}:
            self.found.append(tag)


def test_a_bench_tells_its_figures_to_scripts() -> None:
    told = measured().document()

    assert told["latency_ms"]["trigger"] == {
        "count": 4,
        "median": 4.5,
        "p99": 60.0,
        "largest": 60.0,
    }
    assert told["throughput"][0] == {
        "what": "columns",
        "messages": 2,
        "samples_sent": 2000,
        "samples_counted": 2000,
        "lost": 0,
        "samples_per_second": 1000,
        "engine_share_of_a_processor": 0.25,
        "cpu_us_per_message": 250_000.0,
        "cpu_us_per_sample": 250.0,
    }
    assert told["storm"]["last_trigger_ms"] == 12.5


@pytest.mark.parametrize(
    ("found", "is_whole"),
    [
        (measured(), True),
        (measured(counted=1999), False),
        (measured(storm=Storm(3, [1.0], 2, 0)), False),
        (measured(storm=Storm(3, [1.0, 2.0, 3.0], 0, 1)), False),
    ],
)
def test_whatever_is_lost_or_doubled_is_a_finding(found: Measured, *, is_whole: bool) -> None:
    assert found.is_whole is is_whole


def test_a_system_that_tells_no_processor_time_leaves_it_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = measured(cpu_s=None)

    bench_tables(found)

    assert found.document()["throughput"][0]["cpu_us_per_sample"] is None
    assert "1,000" in capsys.readouterr().out
    assert "CPU µs/message" in render_page(found)


def test_the_table_holds_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    bench_tables(measured(storm=Storm(3, [], 6, 0)))

    said = capsys.readouterr().out
    assert "60.0" in said
    assert "250.00" in said
    assert "3 at once" in said


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    page = render_page(measured())

    outside = Outside()
    outside.feed(page)
    assert outside.found == []
    assert "default-src 'none'" in page
    assert "mosquitto 2.0 &lt;x&gt;" in page
    assert "% of pages arrived" in page


def test_a_storm_without_a_page_is_drawn_too() -> None:
    assert "No trigger came." in render_page(measured(storm=Storm(3, [], 6, 0)))


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written: No such file"):
        write_page(tmp_path / "nowhere" / "bench.html", measured())


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (268_435_455, b"\xff\xff\xff\x7f")],
)
def test_a_length_is_written_as_mqtt_has_it(size: int, written: bytes) -> None:
    assert remaining_length(size) == written


def test_every_series_gets_its_sample() -> None:
    titles = [
        dimensions
        for payload in samples.everything(2500)
        for dimensions in json.loads(payload)["dimensions"]
    ]

    assert len({one["video_title"] for one in titles}) == len(titles) == 2500


def test_the_tables_of_a_bench_are_those_that_its_numbered_messages_are_about() -> None:
    announced = [msgpack.decode(payload) for payload in samples.key_tables(2500)]
    numbered = [msgpack.decode(payload) for payload in samples.numbered(2500)]

    assert [one["table"] for one in numbered] == [one["table"] for one in announced]
    assert len({one["table"] for one in announced}) == 2
    assert not any("keys" in one for one in numbered)
    assert not any("value" in one for one in announced)


def test_a_metric_is_read_over_all_its_labels() -> None:
    text = '# HELP x_total X.\nx_total{a="1"} 2.0\nx_total{a="2"} 3.0\nx_total_more 9.0\n'

    assert metric(text, "x_total") == [2.0, 3.0]


@pytest.mark.parametrize(
    ("choice", "settings"), [("auto", "embedded: true"), ("embedded", "embed")]
)
async def test_without_mosquitto_our_own_broker_is_measured_and_named(
    choice: BrokerChoice, settings: str, tmp_path: Path
) -> None:
    async with broker(choice, tmp_path, path=str(tmp_path)) as found:
        assert settings in found.settings
        assert "small sites" in found.caveat


async def test_a_mosquitto_that_is_asked_for_and_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="mosquitto is not installed"):
        async with broker("mosquitto", tmp_path, path=str(tmp_path)):
            pass


async def test_a_process_that_ends_before_its_work_is_told_with_its_last_words() -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('no room left')")
    told = "^the engine did not start and has ended with exit code 1; its last words: no room left$"
    async with Child("the engine", command) as child:
        with pytest.raises(BenchError, match=told):
            await child.says("subscribed")


async def test_a_program_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^it cannot be started: No such file or directory$"):
        async with Child("it", (str(tmp_path / "nothing"),)):
            pass
