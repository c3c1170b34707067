"""Where the engine's log lines go: to stderr, one line each, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Annotated, Final, Literal

import typer

LogFormat = Literal["text", "json"]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(help="How log lines are written to stderr.", envvar="PLAYWATCH_LOG_FORMAT"),
]

_FACTS: Final = ("incident", "channel")
"""What a record may say beside its message."""


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, and what it is about.

    ``incident`` is there in every line that is about one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        at = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        line = {
            "at": f"{at}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in _FACTS if hasattr(record, name)},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def to_stderr(level: int = logging.INFO, style: LogFormat = "text") -> None:
    """Send the log of this process to stderr, times in UTC."""
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter = JsonLines()
    if style == "text":
        formatter = logging.Formatter(
            "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("playwatch").setLevel(level)
