"""Where the engine's log lines go: to stderr, one line each."""

from __future__ import annotations

import logging
import sys
import time


def to_stderr(level: int = logging.INFO) -> None:
    """Send the log of this process to stderr, times in UTC."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("playwatch").setLevel(level)
