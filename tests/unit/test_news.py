"""News: what listeners hear, and what becomes of those who do not keep up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playwatch.runtime import news as module
from playwatch.runtime.news import INCIDENT, RESET, VALUES, Event, News, TooManyError
from tests.fakes import HandClock, settle
from tests.kit.channels import an_incident

if TYPE_CHECKING:
    import asyncio

    from playwatch.core.incidents import Incident


class Desk:
    def __init__(self) -> None:
        self.open: list[Incident] = []
        self.clock = HandClock()
        self.news = News(lambda: self.open, self.clock)


def drained(queue: asyncio.Queue[Event | None]) -> list[str]:
    found = []
    while not queue.empty():
        event = queue.get_nowait()
        found.append("end" if event is None else event.kind)
    return found


def test_a_listener_hears_of_incidents_that_open_and_end() -> None:
    desk = Desk()
    with desk.news.listening() as queue:
        desk.open = [an_incident()]
        desk.news.look()
        desk.news.look()
        desk.open = []
        desk.news.look()

        assert drained(queue) == [INCIDENT, INCIDENT]


def test_one_who_comes_back_hears_what_was_missed_and_no_more() -> None:
    desk = Desk()
    with desk.news.listening() as queue:
        desk.open = [an_incident()]
        desk.news.look()
        event = queue.get_nowait()
        assert event is not None
        mark = desk.news.mark(event)
    with desk.news.listening(mark) as queue:
        assert drained(queue) == []
    desk.open = []
    desk.news.look()
    with desk.news.listening(mark) as queue:
        assert drained(queue) == [INCIDENT]


@pytest.mark.parametrize(
    "mark", ["other-3", "nonsense", "-", "x" * 5_000, "\u0663-\u0663", "1-1-1"]
)
def test_a_mark_of_another_engine_asks_for_everything(mark: str) -> None:
    with Desk().news.listening(mark) as queue:
        assert drained(queue) == [RESET]


def test_one_who_missed_too_much_is_asked_to_load_everything() -> None:
    desk = Desk()
    for _ in range(module.KEPT + 5):
        desk.open = [] if desk.open else [an_incident()]
        desk.news.look()
    with desk.news.listening(f"{desk.news.epoch}-1") as queue:
        assert drained(queue) == [RESET]


def test_one_who_does_not_keep_up_is_let_go() -> None:
    desk = Desk()
    with desk.news.listening() as slow, desk.news.listening() as other:
        for _ in range(module.QUEUE + 1):
            desk.open = [] if desk.open else [an_incident()]
            desk.news.look()
            drained(other)

        assert drained(slow) == ["end"]
        desk.open = [] if desk.open else [an_incident()]
        desk.news.look()
        assert (drained(slow), drained(other)) == ([], [INCIDENT])


def test_there_is_room_for_so_many_listeners() -> None:
    news = Desk().news
    contexts = [news.listening() for _ in range(module.LISTENERS)]
    for context in contexts:
        context.__enter__()
    with pytest.raises(TooManyError), news.listening():
        pass
    contexts.pop().__exit__(None, None, None)
    with news.listening():
        pass


async def test_values_are_brought_up_to_date_every_few_seconds() -> None:
    import asyncio  # noqa: PLC0415 - only here

    desk = Desk()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(desk.news.run())
        with desk.news.listening() as queue:
            await settle()
            await desk.clock.advance(11)
            assert drained(queue) == [VALUES] * 3
        running.cancel()
