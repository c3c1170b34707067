"""Small pictures as SVG."""

from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree as ET

from playwatch.core.rules import Severity
from playwatch.web.chart import Band, Chart, changing, lane
from playwatch.web.pages.drawing import Bar, plot, sparkline, timeline

HOUR_MS = 3_600_000


def a_bar(row: str, start: float, end: float, *, is_open: bool = False) -> Bar:
    return Bar(
        row=row,
        start_at=round(start * HOUR_MS),
        end_at=round(end * HOUR_MS),
        severity=Severity.CRITICAL,
        is_open=is_open,
        address="incidents/abc",
        label="<b>bad</b> & worse",
    )


def test_a_timeline_has_a_row_per_rule_and_a_link_per_incident() -> None:
    drawn = timeline([a_bar("a", 1, 2), a_bar("b", 3, 24, is_open=True)], 0, 24 * HOUR_MS)
    root = ET.fromstring(drawn)  # noqa: S314 - made here

    assert len(root.findall("a")) == 2
    assert {text.text for text in root.findall("text")} >= {"a", "b", "03:00", "21:00"}
    first, second = root.findall("a")
    assert (first.find("path") is None, second.find("path") is None) == (True, False)
    assert first.findtext("title") == "critical, ended: <b>bad</b> & worse"


def test_what_began_before_the_timeline_begins_at_its_edge() -> None:
    root = ET.fromstring(timeline([a_bar("a", -5, 1)], 0, 24 * HOUR_MS))  # noqa: S314

    rect = root.find("a/rect")
    assert rect is not None
    assert float(rect.attrib["x"]) == 170.0


def test_a_sparkline_lifts_its_pen_over_what_is_not_known() -> None:
    drawn = sparkline([1.0, 2.0, math.nan, 3.0, 4.0], [3.5])
    root = ET.fromstring(drawn)  # noqa: S314

    path = root.find("path")
    assert path is not None
    assert path.attrib["d"].count("M") == 2
    assert len(root.findall("line")) == 1


def test_a_sparkline_of_one_value_is_nothing() -> None:
    assert sparkline([1.0]) == sparkline([math.nan] * 5) == ""


def test_a_sparkline_of_equal_values_stays_in_its_box() -> None:
    for values in ([0.0, 0.0], [5.0, 5.0], [-1.0, -1.0], [1e300, -1e300]):
        assert "nan" not in sparkline(values, [math.inf])


def a_chart(band: Band) -> Chart:
    return Chart(
        times=[0, 60_000],
        values=[1.0, 8.0],
        from_at=0,
        until_at=60_000,
        bounds=[],
        resolve=None,
        shades=[],
        band=band,
    )


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path.rstrip("Z"))]


def test_a_plot_holds_the_band_and_what_was_expected() -> None:
    chart = a_chart(Band.constant((0, 60_000), 0.5, 1.5, 1.0))
    root = ET.fromstring(plot(chart, "%"))  # noqa: S314 - made here

    band = root.find("path[@class='band']")
    line = root.find("path[@class='expected']")
    assert band is not None
    assert line is not None
    ys = [y for _, y in corners(band.attrib["d"])]
    assert len(ys) == 4
    assert all(min(ys) < y < max(ys) for _, y in corners(line.attrib["d"]))


def test_a_band_moves_with_time_and_is_left_out_where_it_is_not_known() -> None:
    nothing = math.nan
    times = [0, 10_000, 20_000, 30_000, 40_000, 50_000]
    low = [0.0, 1.0, nothing, 2.0, 3.0, 4.0]
    band = Band(times, low, [one + 1 for one in low], [one + 0.5 for one in low])
    root = ET.fromstring(plot(a_chart(band)))  # noqa: S314 - made here

    first, second = root.findall("path[@class='band']")
    assert len(corners(first.attrib["d"])) == 4
    assert len(corners(second.attrib["d"])) == 6
    expected = root.find("path[@class='expected']")
    assert expected is not None
    assert expected.attrib["d"].count("M") == 2
    assert lane(band) == {
        "xs": [[0, 10_000, 10_000, 0], [30_000, 40_000, 50_000, 50_000, 40_000, 30_000]],
        "ys": [[1.0, 2.0, 1.0, 0.0], [3.0, 4.0, 5.0, 4.0, 3.0, 2.0]],
    }


def test_a_sparkline_has_its_band_where_it_was_known() -> None:
    band = [(0.0, 1.0), (math.nan, math.nan), (0.0, 2.0), (1.0, 2.0)]
    root = ET.fromstring(sparkline([1.0, 2.0, 1.5, 3.0], band=band))  # noqa: S314

    path = root.find("path[@class='band']")
    assert path is not None
    assert path.attrib["d"].count("M") == 2


def test_what_changes_of_a_chart_can_be_said_in_json() -> None:
    band = Band([0, 1], [math.nan, 1.0], [math.nan, 2.0], [math.nan, 1.5])
    said = json.loads(json.dumps(changing(a_chart(band)), allow_nan=False))

    assert said["expected"]["expected"] == [None, 1.5]
    assert said["values"] == {"x": [0, 60_000], "y": [1.0, 8.0]}
    assert said["low"] == 0.0
    assert said["high"] > 8.0
