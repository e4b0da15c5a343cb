"""A file of SQLite: made, opened, brought up to date, and its connections.

In: a path. Out: connections that begin as they are told, and the numbers that are handed out.
Refuses to know: what the tables mean.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from errno import EACCES, EISDIR
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from enforcer.errors import LedgerError
from enforcer.ledger.remedy import remedy
from enforcer.ledger.tables import MARK
from enforcer.ledger.turns import turns_of

# Pages kept in memory, in KiB. One connection writes, always the same, into seven indices at once: 64 MB hold
# the pages of them that a busy day comes back to. What reads, a few connections, goes through an index once.
WRITING_KIB, READING_KIB = 64_000, 8_000
MOST_READING = 5            # connections that stay open for reading; the one that was used last is used first
PRAGMAS = (
    "PRAGMA journal_mode = WAL",        # readers never wait for the writer
    "PRAGMA synchronous = FULL",        # a commit is on the disk, not only in its cache
    "PRAGMA temp_store = MEMORY",
    # The log beside the file is as long as it ever had to be; of that, so many bytes are kept.
    "PRAGMA journal_size_limit = 67108864",
)


class Store:
    """One SQLite file, opened. `patience` is how long (seconds) a write waits for another process.

    Raises LedgerError naming the file where it can't be opened, is not a ledger, or was written by
    a later version.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self.path = path
        self._patience = patience
        self.on_written: list[Callable[[], object]] = []        # told after each commit of ours
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
            self._turns = turns_of(path)
        except OSError as problem:
            raise LedgerError(f"{path}: {problem.strerror}{remedy(path, problem)}") from problem
        self._reading = _engine(self.connect, "BEGIN", pool_size=MOST_READING, pool_use_lifo=True)
        self._writing = _engine(
            partial(self.connect, WRITING_KIB), "BEGIN IMMEDIATE", pool_size=1, max_overflow=0
        )
        with self.guarded():
            self._migrate()
            self._eye = self.connect()     # sees commits of all others by one cheap question

    def connect(self, cache: int = READING_KIB) -> sqlite3.Connection:
        """A plain connection, for what is asked so often that it must cost next to nothing; `cache` is how
        many KiB of pages it keeps."""
        connection = sqlite3.connect(
            self.path, timeout=self._patience, isolation_level=None, check_same_thread=False,
        )
        try:
            for pragma in (*PRAGMAS, f"PRAGMA cache_size = -{cache}"):
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Let go of the file."""
        self._eye.close()
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turns what the database complains of into a LedgerError that names the file, and what to do."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as problem:
            raise LedgerError(f"{self.path}: {words(problem)}{remedy(self.path, problem)}") from problem

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the file throughout. Raises LedgerError."""
        with self.guarded(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A connection that alone may write; commits at the end. Waits for other threads of this process, and
        for another process as long as there is patience. Raises what the database raises."""
        with ExitStack() as turn:
            try:
                turn.enter_context(self._turns.mine())
            except TimeoutError:
                raise sqlite3.OperationalError("the disk hangs: we have been writing for seconds") from None
            with self._writing.connect() as connection, connection.begin():
                yield connection
        for tell in self.on_written:
            tell()

    def version(self) -> int:
        """A number that changes when anybody else has committed anything. Costs about 2 us."""
        value: int = self._eye.execute("PRAGMA data_version").fetchone()[0]
        return value

    def look(self, sql: str, values: dict[str, Any]) -> list[Any]:
        """Rows, by the plainest road: for the hot path. Raises LedgerError."""
        with self.guarded():
            return self._eye.execute(sql, values).fetchall()

    def sound(self) -> None:
        """Check the file itself. Raises LedgerError."""
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        if found != "ok":
            raise LedgerError(
                f"{self.path}: the file is damaged: {found}; go back to a copy, and `enforcer cdr import` "
                "what came since"
            )

    def _schema(self) -> int:
        """The schema that the file has, 0 where it has none."""
        with self._reading.connect() as connection:
            if not sa.inspect(connection).has_table("mark"):
                return 0
            return connection.execute(sa.select(MARK.c.value).where(MARK.c.name == "schema")).scalar() or 0

    def _migrate(self) -> None:
        steps = migrations()
        if self._schema() == len(steps):        # as nearly always: who only opens it needs no turn to write
            return
        with self.writing() as connection:
            version = 0
            if sa.inspect(connection).has_table("mark"):
                version = take_marks(connection, "schema", 0)
            elif sa.inspect(connection).get_table_names():
                raise LedgerError(
                    f"{self.path}: this is a database of something else, not a ledger; name another file in "
                    "[ledger] url"
                )
            if version > len(steps):
                raise LedgerError(
                    f"{self.path}: written by a later version of enforcer (schema {version}, "
                    f"this one knows {len(steps)}); run that version, or go back to a copy from before it"
                )
            for step in steps[version:]:
                for statement in step:
                    connection.exec_driver_sql(statement)
            if version < len(steps):
                take_marks(connection, "schema", len(steps) - version)


def _make(path: Path) -> None:
    """Made by us, so that it is nobody else's to read: it says who called whom. Raises OSError.

    One that is there is not opened: to close it would let go of every lock that SQLite holds on it for other
    connections of this process (POSIX has it so), and another process would take the file for its own.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR)) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES)) from None


def _engine(connect: Callable[[], sqlite3.Connection], begin: str, **pool: Any) -> sa.Engine:
    """Connections whose transactions begin like this."""
    engine = sa.create_engine("sqlite+pysqlite://", creator=connect, poolclass=sa.QueuePool, **pool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def migrations() -> list[list[str]]:
    """The statements of each `sql/NNNN_*.sql`, in order; the n-th file leads to schema n."""
    folder = resources.files("enforcer.ledger") / "sql"
    files = sorted(
        (file for file in folder.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", file.name)),
        key=lambda file: file.name,
    )
    return [_statements(file.read_text("utf-8")) for file in files]


def statement(name: str) -> str:
    """The one statement in `sql/NAME.sql`."""
    text = (resources.files("enforcer.ledger") / "sql" / f"{name}.sql").read_text("utf-8")
    (only,) = _statements(text)
    return only


def _statements(text: str) -> list[str]:
    plain = re.sub(r"--[^\n]*", "", text)
    return [statement.strip() for statement in plain.split(";") if statement.strip()]


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One enforcer a ledger: two would each answer every question, and pace every call twice.

    The lock is a file beside the ledger (a lock on the ledger itself would disturb SQLite's own) and ends
    with the process, however that ends. Raises LedgerError where another holds it."""
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise LedgerError(f"{beside}: {problem.strerror}{remedy(beside, problem)}") from problem
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise LedgerError(
                f"{path}: another enforcer runs on this ledger (process {holder}); stop that one, or give "
                "this one a ledger of its own"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def holder(path: Path) -> str:
    """The process of the enforcer that runs on this ledger, "" where none does."""
    beside = path.with_name(path.name + ".lock")
    try:
        handle = os.open(beside, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
    finally:
        os.close(handle)
    return ""


def take_marks(connection: sa.Connection, name: str, count: int) -> int:
    """Take the next `count` numbers of a mark; returns the last of them."""
    value: int = connection.execute(
        sa.update(MARK).where(MARK.c.name == name).values(value=MARK.c.value + count)
        .returning(MARK.c.value)
    ).scalar_one()
    return value


def words(problem: BaseException) -> str:
    """What a database complains of, in its own few words."""
    cause: Any = getattr(problem, "orig", None) or problem
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
