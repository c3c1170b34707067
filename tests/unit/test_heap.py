from __future__ import annotations

import gc
import platform

from playwatch.runtime.heap import give_back_large_blocks, spare_what_stays


def test_the_heap_of_glibc_is_told_and_any_other_left_alone() -> None:
    assert give_back_large_blocks() is (platform.libc_ver()[0] == "glibc")


def test_what_exists_is_no_longer_searched_for_garbage() -> None:
    before = gc.get_threshold()
    try:
        spare_what_stays(young=5_000)

        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == 5_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
