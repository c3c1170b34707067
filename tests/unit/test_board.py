from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from playwatch.core.incidents import Status
from playwatch.demo.audience import FIRST_S, LENGTH_S, PAIRS, Audience
from playwatch.demo.board import WINDOW_S, Board
from playwatch.demo.pages_book import Effect, Entry
from playwatch.demo.screen import Lines, rendered, screen
from tests.kit.channels import an_incident

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident

HERE = (("country", PAIRS[0][0]), ("cdn", PAIRS[0][1]))


def opened(**changes: Any) -> Incident:  # noqa: ANN401 - any field
    return replace(an_incident(), breakdowns=HERE, rule="failures", **changes)


def ended(incident: Incident) -> Incident:
    at = incident.opened_at + 9000
    return incident.ended(
        Status.CLOSED, reason="recovered", resolved_at=at - 3000, ended_at=at, value=0.9
    )


def request(incident: Incident, action: str, effect: Effect, at: int) -> Entry:
    return Entry(at, 0, "…4506", action, incident.dedup_key, 202, effect, None, 100)


def picture(board: Board, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(rendered(board, {"failures": "> 5"}, 3))
    return captured.get()


def test_an_incident_is_told_once_when_it_opens_and_once_when_it_ends() -> None:
    board, incident = Board(), opened()
    news = [board.learn([state], []) for state in (incident, incident, ended(incident))]
    news.append(board.learn([ended(incident)], []))

    assert [len(lines) for lines in news] == [1, 0, 1, 0]
    assert "opened    failures: " in news[0][0]
    assert "after 9 s, now 0.9 %" in news[2][0]
    assert (len(board.incidents), board.resolved) == (1, 1)


def test_an_incident_that_came_and_went_between_two_looks_is_told_whole() -> None:
    assert len(Board().learn([ended(opened())], [])) == 2


def test_a_page_is_timed_from_the_sample_that_opened_its_incident() -> None:
    board, incident = Board(), opened()
    trigger = request(incident, "trigger", Effect.OPENED, incident.opened_at + 12)
    resolve = request(incident, "resolve", Effect.RESOLVED, incident.opened_at + 9020)
    board.learn([ended(incident)], [trigger, resolve])

    assert [receipt.latency_ms for receipt in board.receipts] == [12, 20]
    assert board.latency_ms == 12


def test_a_request_about_an_unknown_incident_has_no_time() -> None:
    board = Board()
    board.learn([], [request(opened(), "trigger", Effect.OPENED, 0)])

    assert board.latency_ms is None
    assert board.receipts[0].latency_ms is None


def test_the_values_are_those_of_the_last_window() -> None:
    board, audience = Board(), Audience(1)
    for second in range(20):
        board.hear(audience.sample(second))
    views = sum(audience.sample(second)[0].views for second in range(20 - WINDOW_S, 20))

    assert board.rows()[0].views == views
    assert board.samples == 20 * 3 * len(PAIRS)


def test_an_open_incident_marks_the_rows_that_it_covers() -> None:
    board = Board()
    board.learn([opened()], [])
    board.learn([replace(opened(), id="other", rule="viewers", breakdowns=HERE[:1])], [])

    assert [row.rules for row in board.rows()] == [
        ("failures", "viewers"),
        ("viewers",),
        *[()] * (len(PAIRS) - 2),
    ]


def test_a_fault_is_told_when_it_begins_and_when_it_is_over() -> None:
    board, audience = Board(), Audience(1)
    news = [board.befall(audience.fault(second)) for second in range(FIRST_S + LENGTH_S + 1)]

    assert [second for second, lines in enumerate(news) if lines] == [FIRST_S, FIRST_S + LENGTH_S]


def test_the_picture_has_everything_and_fits() -> None:
    board, incident = Board(), opened(summary="x\x1b[2J[red]y" * 30)
    board.hear(Audience(1).sample(0))
    board.learn([incident], [request(incident, "trigger", Effect.OPENED, incident.opened_at + 7)])
    shown = picture(board)

    assert "> 5" in shown
    assert "INCIDENT failures" in shown
    assert "7 ms" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_eighty_columns_are_enough_for_times_and_keys() -> None:
    board, incident = Board(), opened()
    resolve = request(incident, "resolve", Effect.RESOLVED, incident.opened_at + 9020)
    board.learn([ended(incident)], [resolve])
    shown = picture(board, 80)

    assert f"resolve  {incident.id}  key …4506  202  20 ms" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_an_empty_board_can_be_drawn() -> None:
    assert "none yet" in picture(Board(), width=40)


def test_what_is_no_terminal_gets_lines() -> None:
    out = io.StringIO()
    with screen(out, {}) as shown:
        shown.draw(Board(), ["one", "two"])

    assert isinstance(shown, Lines)
    assert out.getvalue() == "one\ntwo\n"
