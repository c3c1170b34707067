"""One page for one cause: the widest node of the lattice that explains a deviation.

A broken CDN in one country shows at the leaf ``cdn=fastly, country=DE``, in both
its dimensions and in the total. All of them deviate, one of them is the cause.
Each candidate node is a hypothesis: *the rate is raised by one factor inside it
and as expected outside*. How well it explains what was seen is its likelihood
ratio: a node too wide is diluted by parts that are fine, one too narrow leaves
out part of the excess, so the node that fits best is the cause, if what it
leaves is not surprising. More dimensions are more hypotheses, and pay for it.

This is the spatial scan statistic over the lattice of dimensions instead of
over circles on a map. `lattice` lists the nodes of some leaf series, so a cause
may combine dimensions that no grouping of the rule combines; `causes` chooses
among them, takes what the first explains away, and looks for a second. Where
there are no leaves, the deviating groups themselves are the nodes.

References
----------
Kulldorff, "A spatial scan statistic", Communications in Statistics 26 (1997),
equation 3. Bhagwan et al., "Adtributor", NSDI 2014: explanatory power, surprise
and succinctness of a root cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch_models.surprise import DECADE, tail_nats

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Cause", "Leaves", "Nodes", "causes", "lattice"]

MOST_DIMENSIONS: Final = 3
"""A cause of more dimensions tells an operator nothing."""
MOST_CAUSES: Final = 3
LEAST_SHARE: Final = 0.1
"""A second cause carries at least this share of the extra failures."""
LEAST_DECADES: Final = 3.0
"""How rare by chance what is left must be to be a cause of its own."""
LEAST_SPREAD: Final = 1e-5
TINY: Final = 1e-9
ANY: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """The finest series of one metric over some minutes; columns of one length ``n``.

    Attributes
    ----------
    values
        Code of each dimension's value, 0 or more, shape ``(n, dimensions)``.
    observed, expected
        Failed views (or whatever adds up), and how many were expected.
    """

    values: NDArray[np.int64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Candidates: one row a node of the lattice.

    Attributes
    ----------
    values
        As in `Leaves`, `ANY` where the node leaves a dimension open.
    observed, expected
        Sums over all that the node holds.
    concentration
        From 1 for a single leaf down to 1 / k for k equal ones: wanderings of
        many leaves even out.
    """

    values: NDArray[np.int64]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    concentration: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cause:
    """A node that explains extra failures.

    Attributes
    ----------
    values
        Code of each dimension's value, `ANY` where it is open; all open for
        a cause that is everywhere.
    excess
        Extra failed views inside it.
    share
        Of all extra failed views, 0 to 1.
    decades
        ``-log10`` of the chance of so many.
    """

    values: tuple[int, ...]
    excess: float
    share: float
    decades: float

    def holds(self, values: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which nodes lie inside this one, itself included."""
        wanted = np.array(self.values)
        inside: NDArray[np.bool_] = ((values == wanted) | (wanted == ANY)).all(axis=1)
        return inside

    def meets(self, values: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which nodes share views with this one: its incident's related groups."""
        wanted = np.array(self.values)
        met: NDArray[np.bool_] = ((values == wanted) | (wanted == ANY) | (values == ANY)).all(
            axis=1
        )
        return met


def lattice(leaves: Leaves) -> Nodes:
    """List all nodes above and among some leaves, of at most three dimensions.

    Notes
    -----
    O(n) for each combination of dimensions: 15 of them for four dimensions.
    """
    dimensions = leaves.values.shape[1]
    values, observed, expected, concentration = [], [], [], []
    for size in range(min(dimensions, MOST_DIMENSIONS) + 1):
        for chosen in combinations(range(dimensions), size):
            kept = np.full_like(leaves.values, ANY)
            kept[:, chosen] = leaves.values[:, chosen]
            nodes, place = np.unique(kept, axis=0, return_inverse=True)
            place = place.reshape(-1)
            values.append(nodes)
            observed.append(np.bincount(place, leaves.observed, len(nodes)))
            mean = np.bincount(place, leaves.expected, len(nodes))
            expected.append(mean)
            squares = np.bincount(place, leaves.expected**2, len(nodes))
            concentration.append(squares / np.maximum(mean, TINY) ** 2)
    return Nodes(*map(np.concatenate, (values, observed, expected, concentration)))


def causes(leaves: Leaves, *, spread: float = 0.01) -> list[Cause]:
    """Name what explains the extra failures of some leaves, the strongest first.

    Parameters
    ----------
    spread
        Relative variance that a rate has without a cause (`dispersion`).

    Returns
    -------
    list
        Empty where nothing is more than chance brings; at most three.
    """
    observed = leaves.observed.astype(np.float64)
    total = float(np.maximum(observed.sum() - leaves.expected.sum(), 0))
    found: list[Cause] = []
    while len(found) < MOST_CAUSES:
        left = Leaves(leaves.values, observed, leaves.expected)
        cause = strongest(lattice(left), total, spread)
        if cause is None or (found and cause.share < LEAST_SHARE):
            break
        found.append(cause)
        # What is explained is as expected from here on.
        observed = np.where(cause.holds(leaves.values), leaves.expected, observed)
    return found


def strongest(nodes: Nodes, total: float, spread: float) -> Cause | None:
    """Return the node that explains most, or None if chance explains all.

    Parameters
    ----------
    total
        All extra failed views, of which a cause has its share.
    """
    wander = np.maximum(spread * nodes.concentration, LEAST_SPREAD)
    nats = tail_nats(nodes.observed, nodes.expected, wander)
    depth = (nodes.values != ANY).sum(axis=1)
    # As many hypotheses as there are nodes of a depth: each pays for its company.
    price = np.log(np.bincount(depth)[depth]) + depth
    best = int(np.argmax(nats - price))
    decades = float(nats[best] - price[best]) / DECADE
    if decades < LEAST_DECADES:
        return None
    excess = float(nodes.observed[best] - nodes.expected[best])
    return Cause(
        values=tuple(int(value) for value in nodes.values[best]),
        excess=excess,
        share=min(1.0, excess / max(total, excess)),
        decades=decades,
    )
