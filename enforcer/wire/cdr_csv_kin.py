"""Which legs of FreeSWITCH's calls belong together, as a first look at all files of an import tells.

In: the lines of files. Out: the call that a leg is of. Refuses to know: what else a row says.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from enforcer.wire.cdr_csv_columns import FIRST, leg_named, ours

MOST_HOPS = 64          # from a leg to the call it belongs to; more is a circle
OPENING = f'"{FIRST}",'
UUID, PARENT, LOOPBACK_OF, ORIGINATED = 1, 3, 4, 20     # columns of template enforcer


@dataclass(slots=True)
class Kin:
    """The legs that are not what they look like when their row is read alone.

    `parents` holds legs that dialled on (transfers, loopbacks) under the one that dialled them: their number
    is that of transfers, not of calls. `named` holds the hashes of legs that other rows of template example
    name, sorted: 8 bytes an answered call.
    """

    parents: dict[str, str] = field(default_factory=dict)
    named: array[int] = field(default_factory=lambda: array("q"))

    def learn(self, lines: Iterable[str]) -> None:
        """Look at a file. Rows that are no good are left for others to complain about."""
        for line in lines:
            if line.startswith(OPENING):            # half of all rows are of calls' own channels: seen early
                start = line.split('","', LOOPBACK_OF + 1)
                if len(start) > LOOPBACK_OF and not start[PARENT] and not start[LOOPBACK_OF]:
                    continue
            parts = line.rstrip()[1:-1].split('","')
            if ours(parts):
                if parts[ORIGINATED]:
                    uuid, parent = parts[UUID], parts[PARENT] or parts[LOOPBACK_OF]
                    if parent and parent != uuid:
                        self.parents[uuid] = min(parent, self.parents.get(uuid, parent))
            elif leg := leg_named(parts):
                self.named.append(hash(leg))

    def done(self) -> None:
        """All files were looked at."""
        self.named = array("q", sorted(self.named))

    def root(self, uuid: str) -> str:
        """The leg that the call began with."""
        root = uuid
        for _ in range(MOST_HOPS):
            parent = self.parents.get(root)
            if parent is None:
                return root
            root = parent
        return uuid

    def is_named(self, uuid: str) -> bool:
        """Whether the row of another leg names this one."""
        key = hash(uuid)
        place = bisect_left(self.named, key)
        return place < len(self.named) and self.named[place] == key
