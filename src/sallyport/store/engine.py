"""Store, Tx, Reader: how verbs and queries run, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Engine, Executable, Row, create_engine, event, text
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import create_async_engine

from sallyport.model.directory import Actor
from sallyport.store import schema
from sallyport.store.changes import Change, Feed, Kind
from sallyport.store.connection import AtOnce, Connection
from sallyport.store.group import GroupConnection, NewRows
from sallyport.store.prepared import Prepared, prepared_insert
from sallyport.store.reads import READERS, PostgresqlReads, Reads, SqliteReads
from sallyport.store.seal import Sealer
from sallyport.store.turn import Turn
from sallyport.store.writer import DirectWriter, GroupWriter, Writer
from sallyport.vocab.clock import Clock
from sallyport.vocab.events import Event

_ADD_AUDIT = prepared_insert(
    schema.audit,
    ("at", "event", "account_id", "address", "site_id", "app_id", "subject", "detail"),
)
_ADD_CHANGE = prepared_insert(schema.change, ("at", "kind", "key"))
_encode = msgspec.json.Encoder().encode

P = ParamSpec("P")
T = TypeVar("T")


class Reader:
    """A connection to ask with. `now` is the time of the transaction, in milliseconds."""

    def __init__(self, conn: Connection, now: int, sealer: Sealer) -> None:
        self.conn = conn
        self.now = now
        self.sealer = sealer

    async def all(self, statement: Executable) -> Sequence[Row[Any]]:
        return (await self.conn.execute(statement)).all()

    async def first(self, statement: Executable) -> Row[Any] | None:
        return (await self.conn.execute(statement)).first()

    async def scalar(self, statement: Executable) -> Any:
        return (await self.conn.execute(statement)).scalar()

    async def one(self, prepared: Prepared, **values: Any) -> Sequence[Any] | None:
        """The first row of a prepared SELECT, as a plain tuple."""
        if isinstance(self.conn, AtOnce):
            return self.conn.first(prepared, values)
        return (await self.conn.execute(prepared.statement, values)).first()

    async def every(self, prepared: Prepared, **values: Any) -> Sequence[Sequence[Any]]:
        """All rows of a prepared SELECT, as plain tuples."""
        if isinstance(self.conn, AtOnce):
            return self.conn.every(prepared, values)
        return (await self.conn.execute(prepared.statement, values)).all()


class Tx(Reader):
    """One verb's transaction: what it writes, changes and audits becomes durable together."""

    def __init__(self, conn: Connection, now: int, sealer: Sealer) -> None:
        super().__init__(conn, now, sealer)
        self.changes: list[Change] = []
        self._last: NewRows = {}

    async def run(self, statement: Executable) -> CursorResult[Any]:
        """Execute; `.rowcount` says how many rows a conditional update really changed."""
        return await self.conn.execute(statement)

    async def do(self, prepared: Prepared, **values: Any) -> int:
        """Execute what is prepared; how many rows a conditional update really changed."""
        if isinstance(self.conn, GroupConnection):
            return self.conn.run(prepared, values)
        return (await self.conn.execute(prepared.statement, values)).rowcount

    def add(self, prepared: Prepared, **values: Any) -> None:
        """Write a row when the verb has returned; nothing that it does until then sees the row.

        `prepared` is an INSERT. Rows of one table are written together, in the order of `add`; a
        table's after those of the tables that it refers to, if they were added first.
        """
        self._last.setdefault(prepared, []).append(values)

    def changed(self, kind: Kind, key: str) -> None:
        """Tell gateways, after the commit, to forget this fact."""
        self.changes.append(Change(kind, key, self.now))
        self.add(_ADD_CHANGE, at=self.now, kind=kind.value, key=key)

    def audit(
        self,
        name: Event,
        actor: Actor,
        /,
        *,
        site_id: str | None = None,
        app_id: str | None = None,
        subject: str | None = None,
        **detail: Any,
    ) -> None:
        """Record who did what. `detail` must hold nothing secret.

        Its `reason` is why; where it has none, what the actor said for all that he does now.
        """
        if actor.reason and not detail.get("reason"):
            detail["reason"] = actor.reason
        self.add(
            _ADD_AUDIT,
            at=self.now,
            event=name.value,
            account_id=actor.account_id,
            address=actor.address,
            site_id=site_id,
            app_id=app_id,
            subject=subject,
            detail=_as_text(detail),
        )

    async def flush(self) -> None:
        """Write the rows that were kept for last; the store calls it when the verb has returned."""
        if isinstance(self.conn, GroupConnection):
            self.conn.add(self._last)
        else:
            for prepared, rows in self._last.items():
                await self.conn.execute(prepared.statement, rows)


def _as_text(detail: dict[str, Any]) -> str:
    """Sorted JSON, with a space after each colon: it is searched as text (`audit.py`).

    Member by member this takes a fraction of what `json` takes over the whole.
    """
    members = [f'"{name}": {_encode(detail[name]).decode()}' for name in sorted(detail)]
    return f"{{{', '.join(members)}}}"


Verb = Callable[Concatenate[Tx, P], Awaitable[T]]
Query = Callable[Concatenate[Reader, P], Awaitable[T]]


class Store:
    """The database, behind verbs and queries. Make one with `open_store`."""

    def __init__(
        self, reads: Reads, writer: Writer, clock: Clock, sealer: Sealer, feed: Feed
    ) -> None:
        self._reads = reads
        self._writer = writer
        self.clock = clock
        self.sealer = sealer
        self.feed = feed

    async def write(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb; when this returns, its effects are durable and followers have been told."""

        async def job(conn: Connection) -> tuple[T, list[Change]]:
            tx = Tx(conn, self.clock.now(), self.sealer)
            result = await verb(tx, *args, **kwargs)
            await tx.flush()
            return result, tx.changes

        return await self._writer.run(job)

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on one consistent snapshot."""

        async def ask(conn: Connection) -> T:
            return await query(Reader(conn, self.clock.now(), self.sealer), *args, **kwargs)

        return await self._reads.run(ask)

    async def read_ahead(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`, for what all else depends on: it waits for no other query."""

        async def ask(conn: Connection) -> T:
            return await query(Reader(conn, self.clock.now(), self.sealer), *args, **kwargs)

        return await self._reads.run(ask, ahead=True)

    async def run_sync(self, work: Callable[[SyncConnection], T]) -> T:
        """Run synchronous work on a connection that commits; for migrations and tests alone."""
        return await self._reads.run_sync(work)

    async def ping(self) -> None:
        """Raises where the database does not answer."""

        async def ask(conn: Connection) -> None:
            await conn.execute(text("SELECT 1"))

        await self._reads.run(ask)

    async def close(self) -> None:
        await self._writer.close()
        await self._reads.close()


def open_store(url: str, clock: Clock, sealer: Sealer, *, is_shared: bool = False) -> Store:
    """A store on `sqlite:///<path>` or `postgresql://...`. Opens no connection by itself.

    `is_shared`: other processes write to the same database.

    Raises `ValueError` for another kind of URL.
    """
    feed = Feed()
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        writes = _sqlite(path, "BEGIN IMMEDIATE", size=2)
        reads = _sqlite(path, "BEGIN", size=READERS + 1)
        writer = GroupWriter(writes, feed, Turn(Path(f"{path}-turn")) if is_shared else None)
        return Store(SqliteReads(reads, writes), writer, clock, sealer, feed)
    scheme, _, rest = url.partition("://")
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        engine = create_async_engine(f"postgresql+psycopg://{rest}", pool_size=10, max_overflow=10)
        return Store(PostgresqlReads(engine), DirectWriter(engine, feed), clock, sealer, feed)
    raise ValueError(f"the database URL must begin with sqlite:/// or postgresql://, not {scheme}")


def _sqlite(path: str, begin: str, *, size: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=size,
        max_overflow=0,
        connect_args={"isolation_level": None, "timeout": 10, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
            # In KB: the indexes that every call's record goes into stay in memory.
            "cache_size=-16384",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
