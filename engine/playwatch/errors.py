"""The exceptions of Playwatch, by whose fault they are.

Each is one sentence that a user can act on, with its facts as attributes. An
error that reaches the command line is printed without a traceback and ends the
process with exit code 2.
"""

from __future__ import annotations

from dataclasses import dataclass


class PlaywatchError(Exception):
    """Something went wrong that a user can mend."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file, with its place and a way out."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return ``file:line:column: path: message (hint)``."""
        place = f"{self.file}:{self.line}:{self.column}: "
        named = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{named}{self.message}{hint}"


class ConfigError(PlaywatchError):
    """The operator's fault: the configuration has mistakes, all of them listed."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep the mistakes in the order of the file."""
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SeriesLimitError(PlaywatchError):
    """The publisher's fault: one more series would pass the limit of its metric."""

    def __init__(self, metric: str, limit: int, dimension: str) -> None:
        """Name the metric, its limit and the dimension with the most values."""
        self.metric = metric
        self.limit = limit
        self.dimension = dimension
        super().__init__(
            f"{metric} has reached its limit of {limit} series; dimension {dimension!r} has"
            " the most values: drop it at the publisher or raise limits.series_per_metric"
        )


class StoreError(PlaywatchError):
    """The environment's fault: the store cannot be opened, read or written."""


class StoreLockedError(StoreError):
    """Another engine runs on this store."""

    def __init__(self, path: str, holder: str) -> None:
        """Name the store and who holds it."""
        self.path = path
        self.holder = holder
        super().__init__(
            f"store {path} is in use by {holder}: stop that engine, or give this one its own store"
        )


class StoreVersionError(StoreError):
    """The store was written by a newer Playwatch."""

    def __init__(self, path: str, found: int, known: int) -> None:
        """Name the schema found and the newest one that this version knows."""
        self.path = path
        self.found = found
        self.known = known
        super().__init__(
            f"store {path} has schema {found}, this version knows {known}: upgrade Playwatch,"
            " or restore the backup made before the upgrade"
        )


class ListenError(PlaywatchError):
    """The environment's fault: an address cannot be bound."""

    def __init__(self, what: str, address: str, reason: str) -> None:
        """Say what wanted to listen, where, and why it could not."""
        self.what = what
        self.address = address
        super().__init__(f"{what} cannot listen on {address}: {reason}")


class BrokerError(PlaywatchError):
    """The environment's fault: the MQTT broker refused us or cannot be reached."""


class EngineError(PlaywatchError):
    """A running engine refused, or could not be asked."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in what a caller sent: where, as a JSON pointer, what, and a way out."""

    pointer: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return ``where.it.is: what is wrong (a way out)``."""
        place = self.pointer.removeprefix("/").replace("/", ".").replace("~1", "/")
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.message}{hint}" if place else f"{self.message}{hint}"


class InvalidError(PlaywatchError):
    """The caller's fault: what was sent has mistakes, all of them listed."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        """Keep the mistakes in the order they were found."""
        self.mistakes = mistakes
        super().__init__("\n".join(map(str, mistakes)))


class ConflictError(PlaywatchError):
    """The caller's fault: what is asked for contradicts what there is."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Say what is in the way, and what to do."""
        self.message = message
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)
