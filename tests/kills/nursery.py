"""A process that has imported everything, and forks one life for each line that it reads.

A life so costs milliseconds to start, not half a second. Which kind of life it is,
a module says: it has a `Life` and lets one `live`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

PASSED = "passed.json"


def main() -> None:
    kind = import_module(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _live(kind, line)
        _say("pid", pid)
        _, status = os.waitpid(pid, 0)
        _say("exit", os.waitstatus_to_exitcode(status))


def _say(word: str, number: int) -> None:
    sys.stdout.write(json.dumps({word: number}) + "\n")
    sys.stdout.flush()


def _live(kind: ModuleType, line: str) -> None:
    """Live one life, and end without a trace of the nursery."""
    code = 1
    try:
        life = kind.Life(**json.loads(line))
        passed = asyncio.run(kind.live(life))
        Path(life.folder, PASSED).write_text(json.dumps(list(passed)))
        code = 0
    except BaseException:  # noqa: BLE001 - the test reads it
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
