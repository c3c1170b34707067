"""Write the README's table of figures: ``python benchmarks/readme_table.py [--check]``.

Every line comes from a file in `results/` and names it; nobody types a figure.
`--check` only says whether the README holds what the files say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from machine import RESULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- figures: benchmarks/readme_table.py -->"
END = "<!-- end of figures -->"


def main() -> int:
    """Put the table in its place, or say whether it is there."""
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    written = f"{before}{BEGIN}\n{table()}{END}{after}"
    if "--check" in sys.argv:
        return int(written != text)
    README.write_text(written)
    return 0


def table() -> str:
    """Return the table as Markdown."""
    lines = ["| what | measured | to reach | from |", "|---|---|---|---|"]
    for name, rows in SOURCES.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text())
            commit = result.get("machine", result).get("commit", "")
            source = f"`results/{name}.json` at `{commit}`"
            lines += [
                f"| {what} | {found} | {goal} | {source} |" for what, found, goal in rows(result)
            ]
    return "\n".join(lines) + "\n"


def _latency(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    largest = max(row["series"] for row in result["rows"])
    for row in result["rows"]:
        is_plain = row["qos"] == 1 and row.get("payload", "one sample") == "one sample"
        if not is_plain or (row.get("load") and row["series"] < largest):
            continue  # the file has them all
        extra = "".join(f", {row[name]}" for name in ("load", "payload") if row.get(name))
        what = f"publish to PagerDuty's request, {row['series']:,} series, QoS {row['qos']}{extra}"
        figures = row["trigger_ms"]
        found = f"{figures['median']:.1f} ms median, {figures['p99']:.1f} ms p99"
        yield what, found, "< 10 ms, < 50 ms"


def _peers(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    ours, theirs = (result["rows"][name]["trigger"] for name in ("playwatch", "prometheus"))
    yield (
        "the same breach: Playwatch, and Prometheus with Alertmanager at a second",
        f"{ours['median']:.1f} ms, and {theirs['median']:,.0f} ms",
        "",
    )


def _throughput(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    goals = {
        "one sample, QoS 0": ("cpu_us_a_message", "<= 12"),
        "one sample, QoS 1": ("cpu_us_a_message", "<= 22"),
        "columns of 1,000": ("cpu_us_a_sample", "<= 0.5"),
        "packed, 10,000": ("cpu_us_a_sample", ""),
        "key table, 10,000": ("cpu_us_a_sample", "<= 0.1"),
    }
    for row in result["rows"]:
        if row["encoding"] in goals and not row["with_model"]:
            figure, goal = goals[row["encoding"]]
            what = f"CPU of a {'message' if 'message' in figure else 'sample'}, {row['encoding']}"
            lost = "nothing lost" if not row["lost"] else f"{row['lost']:.0f} lost"
            rate = f"{row['samples_a_second']:,.0f} samples/s, {lost}"
            yield what, f"{row[figure]:.2f} µs ({rate})", goal and f"{goal} µs"


def _growth(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for row in result["rows"]:
        if row["rules"] == 1 and row["series"] >= 100_000:  # noqa: PLR2004 - the large ones
            what = f"{row['series']:,} series: memory each, a sample, start"
            found = (
                f"{row['memory_bytes']:,} bytes, {row['sample_us']:.2f} µs, {row['start_s']:.1f} s"
            )
            yield what, found, "< 1,000 bytes; start of 100,000 < 2 s"
    exponents = result["exponents"]["series"]
    yield (
        "exponent of growth with series: a sample, memory",
        f"{exponents['sample_us']:.2f}, {exponents['memory_bytes']:.2f}",
        "<= 1",
    )


def _recovery(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    rows = result["rows"]
    what = (
        f"`kill -9` to right again, {result['series']:,} series, {result['incidents']:,} incidents"
    )
    wrong = rows["pages_too_many"]["largest"] + rows["left_open"]["largest"]
    found = f"{rows['right_s']['median']:.1f} s, {wrong:.0f} pages too many or left open"
    yield what, found, ""


def _storm(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for row in result["rows"]:
        if row["breaches"] == 1000:  # noqa: PLR2004 - the storm that has a goal
            wrong = f"{row['lost']} lost, {row['doubled']} doubled"
            found = f"{row['last_trigger_s']:.2f} s, {row['cpu_ms_per_incident']:.2f} ms CPU each"
            yield "1,000 breaches at once: the last page out", f"{found}; {wrong}", "< 1 s, 0.25 ms"


def _isolation(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for row in result["rows"][1:]:
        what = (
            f"how much later a page comes beside a channel that answers {row['neighbour_answers']}"
        )
        found = f"{row['more_median_ms']:+.1f} ms median, {row['more_p99_ms']:+.1f} ms p99"
        yield what, found, "< 10 ms"


def _weather(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for row in result["rows"]:
        pages, lag = row["publish_to_page_ms"], row["lag_ms"]["p99"]
        what = f"publish to page, twenty breaches a second, in weather: {row['weather']}"
        found = f"{pages['median']:.0f} ms median, {pages['p99']:.0f} ms p99; lag {lag:.0f} ms p99"
        is_disk = row["weather"] == "a slow disk"
        if is_disk:
            found += f"; {pages['largest']:.0f} ms largest"
        goal = "two commits of 200 ms + 50 ms; lag < 100 ms" if is_disk else "lag < 100 ms"
        yield what, found, goal


def _evaluation(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    cores = result["cores_by_batch"]
    found = ", ".join(f"{cores[size]:.2f} at batches of {int(size):,}" for size in cores)
    yield "100,000 series in 50 rules at a sample a second, cores", found, "< 0.3"
    ticks = result["tick_of_100_000_groups_ms"]
    yield "a tick over 100,000 idle groups", f"{ticks['idle_median']:.3f} ms", "< 10 ms"


def _backtest(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    seconds = sorted(run["seconds"] for run in result["runs"])
    found = f"{seconds[len(seconds) // 2]:.0f} s"
    if learned := result.get("with_the_model"):
        found += f"; with the model {learned['seconds']:.0f} s"
    yield "a backtest of a week of 1,000 series, 10 million samples", found, "< 30 s"


def _pages(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    times = {name: one["clock"] for name, one in result["page_ms"].items() if "api/" not in name}
    slowest = max(times, key=lambda name: times[name]["median"])
    held = f"{result['series']:,} series, {result['incidents']:,} incidents"
    found = f"{times[slowest]['median']:.0f} ms, `{slowest}`"
    yield f"the slowest page, {held}", found, "< 100 ms"
    what = f"{result['clients']} browsers that watch, cores"
    yield what, f"{result['cores']['by_clients']:.2f}", "< 0.2"


def _web(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    times = result["paths"]["incidents"]["ms"]
    what = f"the API's list of incidents, 100 of {result['incidents']:,}"
    yield what, f"{times['median']:.1f} ms median, {times['p99']:.1f} ms p99", "< 20 ms p99"


def _watched(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    alone, watched = (result["rows"][name]["trigger_ms"] for name in ("alone", "watched"))
    yield (
        f"publish to page while {result['clients']} browsers watch, and while none does",
        f"{watched['median']:.1f} ms, and {alone['median']:.1f} ms median",
        "the same",
    )


SOURCES: dict[str, Callable[[dict[str, Any]], Iterator[tuple[str, str, str]]]] = {
    "detection_latency": _latency,
    "against_peers": _peers,
    "throughput": _throughput,
    "growth": _growth,
    "storm": _storm,
    "isolation": _isolation,
    "weather": _weather,
    "recovery": _recovery,
    "evaluation": _evaluation,
    "backtest": _backtest,
    "web": _web,
    "pages": _pages,
    "watched": _watched,
}


if __name__ == "__main__":
    sys.exit(main())
