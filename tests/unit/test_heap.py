from __future__ import annotations

import platform

from playwatch.runtime.heap import give_back_large_blocks


def test_the_heap_of_glibc_is_told_and_any_other_left_alone() -> None:
    assert give_back_large_blocks() is (platform.libc_ver()[0] == "glibc")
