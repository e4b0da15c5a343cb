"""Python's collector of cycles, set for a process that holds much and leaves few cycles behind.

In: nothing. Out: a collector that leaves alone what is there once everything is put together, and looks less
often at what came since. Refuses to know: whose objects these are.

As Python comes it looks at the young ones after 700 new ones, and from time to time at all: with the records
of calls in memory that was 8 % of what a call cost us. What is freed by its last reference, as nearly all of
ours is, is freed at once, as before.
"""

from __future__ import annotations

import gc

# New objects until the young are looked at (some 1 ms each time); so many such looks until older ones are.
YOUNG, OLDER, OLDEST = 20_000, 20, 50


def settle() -> None:
    """Everything that will stay is there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)
