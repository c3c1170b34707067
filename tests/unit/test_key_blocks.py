from __future__ import annotations

import numpy as np

from playwatch.core.key_blocks import MOST_ALIKE, KeyBlocks

ROWS = np.arange(3, dtype=np.int32)


def block(head: bytes = b"a", tail: bytes = b"z", size: int = 200) -> bytes:
    return head.ljust(size - len(tail), b"-") + tail


def test_a_block_is_found_where_it_stands_and_nowhere_else() -> None:
    blocks = KeyBlocks()
    blocks.learn(block(), ROWS)

    found = blocks.find(b"before" + block() + b"after", 6)
    assert found is not None
    assert found[0] is ROWS
    assert found[1] == 6 + len(block())
    assert blocks.find(b"before" + block(), 5) is None
    assert blocks.find(block()[:-1], 0) is None
    assert blocks.find(b"", 0) is None


def test_blocks_that_begin_alike_are_told_apart_by_every_byte() -> None:
    blocks = KeyBlocks()
    each = {bytes((65 + number,)): np.full(1, number, np.int32) for number in range(MOST_ALIKE)}
    for tail, rows in each.items():
        blocks.learn(block(tail=tail), rows)

    for _ in range(2):
        for tail, rows in each.items():
            found = blocks.find(block(tail=tail), 0)
            assert found is not None
            assert found[0] is rows


def test_of_too_many_that_begin_alike_those_found_longest_ago_are_forgotten() -> None:
    blocks = KeyBlocks()
    tails = [bytes((65 + number,)) for number in range(MOST_ALIKE + 3)]
    for tail in tails:
        blocks.learn(block(tail=tail), ROWS)
        assert blocks.find(block(tail=tails[0]), 0) is not None

    known = [tail for tail in tails if blocks.find(block(tail=tail), 0) is not None]
    assert known == [tails[0], *tails[-MOST_ALIKE + 1 :]]


def known_of(blocks: KeyBlocks, heads: list[bytes]) -> list[bytes]:
    return [head for head in heads if blocks.find(block(head), 0) is not None]


def test_however_many_blocks_come_their_bytes_are_bounded() -> None:
    blocks = KeyBlocks(limit_bytes=1000)
    heads = [b"%d" % number for number in range(50)]
    for head in heads:
        blocks.learn(block(head), ROWS)
        assert len(known_of(blocks, heads)) <= 5
    assert known_of(blocks, heads) == heads[:5]

    blocks.learn(block(size=900), ROWS)
    assert blocks.find(block(size=900), 0) is None
    blocks.learn(b"short", ROWS)
    assert blocks.find(b"short", 0) is None


def test_blocks_that_nobody_sends_any_more_make_room_in_the_end() -> None:
    blocks = KeyBlocks(limit_bytes=1000)
    for number in range(5):
        blocks.learn(block(b"old%d" % number), ROWS)
    for _ in range(100):
        blocks.learn(block(b"new"), ROWS)

    assert blocks.find(block(b"new"), 0) is not None
