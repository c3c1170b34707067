"""Kinship: which groups are bad for the same reason, so that one page tells of it.

A fault at one CDN shows in that CDN, in each of its countries, and a little in
everything together. All of these groups breach; one of them tells people, and
the others belong to it. What decides is where the excess lies: a group whose
excess lies mostly in the series of another one has the same cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.leaves import shares

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from playwatch.core.incidents import Cause
    from playwatch.core.lattice import Lattice

SAME_CAUSE: Final = 0.5
"""Share of a group's excess that must lie in another one, to have its cause."""
MOST_HEADS: Final = 8
"""Causes that can be told apart in one step; more begin in the next one."""


def heads_of(
    lattice: Lattice,
    excess: NDArray[np.float64],
    heads: Iterable[int],
    fresh: NDArray[np.int32],
    hit: NDArray[np.float64],
) -> dict[int, int]:
    """Return, for each group that newly breaches, the group that tells of its cause.

    Parameters
    ----------
    excess
        Of each leaf, below 0 for one that has less than is usual.
    heads
        Groups that tell of a cause already.
    fresh, hit
        The newly breaching groups, and how many views each one hit.

    Returns
    -------
    dict
        A group that tells of itself stands for itself. One that is missing
        could not be looked at this time.

    Notes
    -----
    The widest group goes first, and of equally wide ones the one that hit most.
    O(leaves) for each cause.
    """
    matrix = lattice.groups_of(np.arange(len(lattice.leaves), dtype=np.int32))
    found: dict[int, int] = {}
    best = np.zeros(len(lattice))

    def claim(head: int) -> None:
        share = shares(matrix, excess, lattice.members(head), len(lattice))
        for row in fresh[(share[fresh] >= SAME_CAUSE) & (share[fresh] > best[fresh])].tolist():
            found[row] = head
        np.maximum(best, share, out=best)

    for head in heads:
        claim(head)
    order = np.lexsort((-hit, lattice.widths(fresh)))
    begun = 0
    for row in fresh[order].tolist():
        if row not in found and begun < MOST_HEADS:
            begun += 1
            claim(row)
            found[row] = row
    return found


def is_same(one: Cause, other: Cause) -> bool:
    """Return whether a cause is another one that has grown, or a part of it."""
    pairs, others = set(one.breakdowns), set(other.breakdowns)
    return pairs <= others or others <= pairs
