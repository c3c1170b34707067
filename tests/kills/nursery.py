"""A process that has imported everything, and forks one life for each line that it reads.

A life so costs milliseconds to start, not half a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from pathlib import Path

from tests.kills.victim import Life, live

PASSED = "passed.json"


def main() -> None:
    for line in sys.stdin:
        life = Life(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            _live(life)
        _say("pid", pid)
        _, status = os.waitpid(pid, 0)
        _say("exit", os.waitstatus_to_exitcode(status))


def _say(word: str, number: int) -> None:
    sys.stdout.write(json.dumps({word: number}) + "\n")
    sys.stdout.flush()


def _live(life: Life) -> None:
    """Live one life, and end without a trace of the nursery."""
    code = 1
    try:
        passed = asyncio.run(live(life))
        Path(life.folder, PASSED).write_text(json.dumps(list(passed)))
        code = 0
    except BaseException:  # noqa: BLE001 - the test reads it
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
