"""The verdict on one rule test: whether what came is what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwatch.runtime.scenarios.compare import mismatches
from playwatch.runtime.scenarios.play import play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwatch.config.scenarios.load import Suite
    from playwatch.runtime.scenarios.compare import Row
    from playwatch.runtime.scenarios.play import Played


@dataclass(frozen=True, slots=True)
class Failure:
    """One check that failed.

    Attributes
    ----------
    line
        Where the check stands in the file.
    what
        What was looked at, and when.
    """

    line: int
    what: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test.

    Attributes
    ----------
    line
        Where the test begins in the file.
    """

    name: str
    line: int
    failures: tuple[Failure, ...]
    played: Played

    @property
    def has_passed(self) -> bool:
        """True when every check was met."""
        return not self.failures


def outcomes(suite: Suite, pattern: str = "") -> Iterator[Outcome]:
    """Play the tests of a file, one at a time.

    Parameters
    ----------
    pattern
        Only tests whose name holds this text, letter case aside.
    """
    for number, scenario in enumerate(suite.scenarios):
        if pattern.lower() in scenario.name.lower():
            path = ("tests", number)
            played = play(suite, scenario)
            failures = tuple(
                Failure(suite.lines.get(one.path, 1), one.what, one.rows)
                for one in mismatches(scenario, played, path)
            )
            yield Outcome(scenario.name, suite.lines.get(path, 1), failures, played)
