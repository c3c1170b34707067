"""The life of an incident, as a table.

Every group of every rule is in one of five phases. Each verdict, with whether
its duration has passed (*held*), is a symbol, and the next phase is one
look-up. So a hundred thousand groups step at once, and only those whose
incident begins, rises or ends become Python objects.

====================  =======  =======  ========  ========  =========
verdict               NORMAL   PENDING  OPEN      CLEARING  LINGERING
====================  =======  =======  ========  ========  =========
clear                 NORMAL   NORMAL   CLEARING  CLEARING  LINGERING
clear, held           NORMAL   NORMAL   NORMAL    NORMAL    NORMAL
hold                  NORMAL   NORMAL   OPEN      OPEN      LINGERING
hold, held            NORMAL   NORMAL   NORMAL    NORMAL    NORMAL
breach                PENDING  PENDING  OPEN      OPEN      LINGERING
breach, held          OPEN     OPEN     OPEN      OPEN      OPEN
absent                NORMAL   PENDING  OPEN      CLEARING  LINGERING
absent, held          NORMAL   NORMAL   NORMAL    NORMAL    NORMAL
gone, opens           OPEN     OPEN     OPEN      OPEN      OPEN
gone, resolves        NORMAL   NORMAL   NORMAL    NORMAL    LINGERING
====================  =======  =======  ========  ========  =========

*Held* means: for a breach, that ``for`` has passed since the crossing; for a
clear, that ``resolve_for`` has; for hold and absent, that an open incident has
had neither breach nor clear for ``expire_after``. A pending group forgives
silence for one window beyond the one that is empty: a collector that reports
once a minute into a window of a minute leaves it empty for a moment each time,
and must not start ``for`` anew.

*Gone* is a silence longer than the rule's ``no_data`` allows, and is one of the
last two symbols as the rule says. A silence opens one incident at most. It has
no tier yet: data that breach raise it to one, all other data clear it.

*Lingering* is flap control. Where a rule has ``flap``, an incident that would
end lingers instead, and its resolve waits. Would it open again meanwhile, it
goes on as the same incident, and the flap is counted; otherwise it ends as it
would have. So a run of flapping is one page and one resolve, it cannot last
longer than the flapping, and a metric that recovers once for good pays with a
late resolve, never with a late recovery in the record: ``resolved_at`` is when
the metric crossed back.

Outside its active hours a rule opens nothing and raises nothing: what the table
would open stays as it is, its time since the crossing included.

Tiers do not have phases of their own. For each tier there is the time since
which the metric has been at least that bad; an incident opens at the highest
tier that has held for ``for``, and rises when a higher one has. It never falls:
severity tells how bad it got.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np


class Phase(IntEnum):
    """Where a group stands."""

    NORMAL = 0
    PENDING = 1
    OPEN = 2
    CLEARING = 3
    LINGERING = 4


_N, _P, _O, _C, _L = Phase

# Rows: phase. Columns: clear, hold, breach, absent, each without and with held; gone.
TABLE: Final = np.array(
    [
        [_N, _N, _N, _N, _P, _O, _N, _N, _O, _N],
        [_N, _N, _N, _N, _P, _O, _P, _N, _O, _N],
        [_C, _N, _O, _N, _O, _O, _O, _N, _O, _N],
        [_C, _N, _O, _N, _O, _O, _C, _N, _O, _N],
        [_L, _N, _L, _N, _L, _O, _L, _N, _O, _L],
    ],
    np.int8,
)
GONE_OPENS: Final = 8
"""The symbol of a silence that opens."""
GONE_RESOLVES: Final = 9
"""The symbol of a silence that resolves."""
