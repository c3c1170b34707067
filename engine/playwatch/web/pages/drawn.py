"""Drawing apart: what takes milliseconds of Python is done in a thread of its own.

A page costs ten or twenty milliseconds, which nobody who publishes a sample may
have to wait for. One thread draws one page after the other, and gives way to
the loop whenever that has something to do.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_P = ParamSpec("_P")

GIVES_WAY_S: Final = 0.0005
"""How soon a thread that draws lets the loop have its turn; Python's own is 5 ms."""

_PAINTER: Final = ThreadPoolExecutor(1, thread_name_prefix="pages")


async def drawn(draw: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Return what a function returns that looks at nothing which changes meanwhile."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_PAINTER, partial(draw, *args, **kwargs))
