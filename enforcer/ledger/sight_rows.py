"""How far switches were heard and their CDR files were read, as rows.

In: sights and places. Out: rows, and back. Refuses to know: what follows from them.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from enforcer.domain.gap import Sight
from enforcer.ledger.port import Place
from enforcer.ledger.store import Store
from enforcer.ledger.tables import CDR_PLACE, SIGHT


class Sights:
    """The sights and places of a ledger on a disk. Any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sights(self) -> dict[str, Sight]:
        """How far each switch was heard. Raises LedgerError."""
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(SIGHT)).mappings().all()
        return {
            row["switch"]: Sight(
                row["switch"], row["heard_at"], None if row["serial"] < 0 else row["serial"], row["boot"],
            )
            for row in rows
        }

    def keep_sight(self, sight: Sight) -> None:
        """Durable when this returns. Raises LedgerError."""
        row = sight._asdict() | {"serial": -1 if sight.serial is None else sight.serial}
        with self._store.guarded(), self._store.writing() as connection:
            _put(connection, SIGHT, row)

    def places(self) -> dict[str, Place]:
        """How far each switch's CDR file was read. Raises LedgerError."""
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(CDR_PLACE)).all()
        return {row[0]: Place(*row) for row in rows}


class MemorySights:
    """The same without a disk."""

    def __init__(self) -> None:
        self._sights: dict[str, Sight] = {}
        self._places: dict[str, Place] = {}
        self.sights: Callable[[], dict[str, Sight]] = self._sights.copy
        self.places: Callable[[], dict[str, Place]] = self._places.copy

    def keep_sight(self, sight: Sight) -> None:
        """Remember."""
        self._sights[sight.switch] = sight

    def put_place(self, place: Place | None) -> None:
        """Remember, where there is one."""
        if place is not None:
            self._places[place.switch] = place


def put_place(connection: sa.Connection, place: Place | None) -> None:
    """Write how far a CDR file was read, with the rows that were read; nothing where they are of no file."""
    if place is not None:
        _put(connection, CDR_PLACE, place._asdict())


def _put(connection: sa.Connection, table: sa.Table, row: dict[str, object]) -> None:
    statement = insert(table).values(row)
    others = {name: statement.excluded[name] for name in row if name != "switch"}
    connection.execute(statement.on_conflict_do_update(index_elements=["switch"], set_=others))
