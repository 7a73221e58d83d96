"""Crons, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from runyard.generated.models import CronCountRequest, CronSearch
from runyard.runtime.errors import Conflict, Forbidden, NotFound, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import pack_cron
from runyard.runtime.storage.port.crons import CronChange, DueCrons, Fired, Firing, StoredCron
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import CancelResult, InsertResult
from runyard.runtime.storage.rows.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.rows.rows import NO_CRON_THREAD, cron_columns, cron_from_row, expiry_columns
from runyard.runtime.storage.shared.insertion import Insertion
from runyard.runtime.storage.shared.queue_time import Clock
from runyard.runtime.storage.shared.scoping import on_cron, shows_cron, shows_thread
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.conditions import Conditions
from runyard.runtime.storage.sql.fetching import fetch_dict, fetch_dicts, one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements, lock_rows
from runyard.runtime.storage.time_slice import PIECE, TimeSlice

T = TypeVar("T")
C = TypeVar("C", bound=Statements)

SET_BACK = 60_000_000
"""Microseconds by which the time of day has to be behind the one at which a cron was timed. Small corrections need no
care: a moment is fired once."""

FIRINGS_KEPT = 20
"""Of each cron."""


class Crons(Generic[C]):
    """Crons as rows, with an index on the moments that are waited for. Whoever changes one locks its row. The queries
    of searches are put together from what was asked for."""

    def __init__(self, database: Database[C], queries: Queries, insertion: Insertion[C], clock: Clock[C]) -> None:
        self._database = database
        self._sql = queries
        self._insertion = insertion
        self._clock = clock

    # What clients do

    async def create(
        self,
        scope: Scope,
        cron: StoredCron,
        change: CronChange,
        expiry: Expiry | None = None,
        key: IdempotencyKey | None = None,
    ) -> StoredCron:
        def work(connection: Statements) -> StoredCron:
            if cron.thread_id is not None:
                self._join_thread(connection, scope, cron.thread_id, expiry)
            time = connection.now
            row = {**cron_columns(change(cron, time)), "creator": scope.identity, "creator_details": scope.user}
            connection.execute(self._sql["insert_cron"], {**row, "now": time})
            created = self._get(connection, cron.cron_id)
            assert created is not None
            if key is not None:
                keep_key(connection, self._sql, scope, key, pack_cron(created))
            return created

        return await self._database.write(work, locks=[] if cron.thread_id is None else [cron.thread_id])

    def _join_thread(self, connection: Statements, scope: Scope, thread_id: str, expiry: Expiry | None) -> None:
        row = fetch_dict(connection, self._sql["thread"], (thread_id,))
        if row is None or not shows_thread(connection, scope.of("threads"), thread_id):
            raise NotFound(NO_CRON_THREAD.format(thread_id))
        if row["temporary"]:
            # It is more than its run's now, whatever becomes of that one.
            connection.execute(self._sql["keep_temporary_thread"], {"thread_id": thread_id, **expiry_columns(expiry)})

    async def get(self, scope: Scope, cron_id: str) -> StoredCron | None:
        return await self._database.read_in_scope(
            scope, on_cron(scope, cron_id, lambda connection: self._get(connection, cron_id))
        )

    def _get(self, connection: Statements, cron_id: str) -> StoredCron | None:
        row = fetch_dict(connection, self._sql["cron"], (cron_id,))
        return None if row is None else cron_from_row(row)

    async def change(self, scope: Scope, cron_id: str, change: CronChange) -> StoredCron | None:
        def work(connection: Statements) -> StoredCron | None:
            found = self._get(connection, cron_id)
            if found is None:
                return None
            if found.thread_id is not None and scope.beside and not self._reaches(connection, scope, found.thread_id):
                raise NotFound(NO_CRON_THREAD.format(found.thread_id))
            time = connection.now
            connection.execute(self._sql["update_cron"], {**cron_columns(change(found, time)), "now": time})
            if not shows_cron(connection, scope, cron_id):
                raise Forbidden(
                    "metadata: the cron would be out of your reach with it; leave the keys that make it yours"
                )
            return self._get(connection, cron_id)

        return await self._database.write(self._locked(cron_id, on_cron(scope, cron_id, work)))

    @staticmethod
    def _reaches(connection: Statements, scope: Scope, thread_id: str) -> bool:
        return shows_thread(connection, scope.of("threads"), thread_id)

    async def delete(self, scope: Scope, cron_id: str) -> bool:
        def work(connection: Statements) -> bool:
            return bool(connection.execute(self._sql["delete_cron"], (cron_id,)).rowcount)

        return await self._database.write(self._locked(cron_id, on_cron(scope, cron_id, work))) or False

    def _locked(self, cron_id: str, work: Callable[[Statements], T]) -> Callable[[Statements], T]:
        def locked(connection: Statements) -> T:
            lock_rows(connection, self._sql, "lock_cron", (cron_id,))
            return work(connection)

        return locked

    async def search(self, scope: Scope, request: CronSearch, *, limit: int, offset: int) -> list[StoredCron]:
        column = "next_due" if request.sort_by == "next_run_date" else request.sort_by
        # What is not there comes before all that is.
        order, nulls = ("asc", "nulls first") if request.sort_order == "asc" else ("desc", "nulls last")

        def read(connection: Statements) -> list[StoredCron]:
            where = _conditions(connection, scope, request)
            where.equal("enabled", request.enabled)
            by = f"order by {column} {order} {nulls}, {connection.insertion_order} {order}"
            sql = f"select * from crons {where} {by} {where.page(limit, offset)}"
            return [cron_from_row(row) for row in fetch_dicts(connection, sql, where.parameters)]

        return await self._database.search(read)

    async def count(self, scope: Scope, request: CronCountRequest) -> int:
        def read(connection: Statements) -> int:
            where = _conditions(connection, scope, request)
            return int(one(connection, f"select count(*) from crons {where}", where.parameters)[0])

        return await self._database.search(read)

    # What the server does

    async def due(self, limit: int) -> DueCrons:
        def read(connection: Statements) -> DueCrons:
            next_due, time = one(connection, self._sql["next_cron"])
            crons = []
            if next_due is not None and next_due <= time:
                crons = fetch_dicts(connection, self._sql["due_crons"], (time, limit))
            misdated = fetch_dicts(connection, self._sql["misdated_crons"], (time + SET_BACK, limit))
            seconds = None if next_due is None else max(0.0, (next_due - time) / 1e6)
            return DueCrons(time, [*map(cron_from_row, crons)], seconds, [*map(cron_from_row, misdated)])

        return await self._database.read(read)

    async def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        made_room: list[list[CancelResult]] = []
        for firing in firings:
            new_run = firing.new_run
            new_runs = [] if new_run is None else [new_run]
            made_room.append(
                await self._insertion.make_room(self._database, self._sql, firing.cron.runs_scope, new_runs)
            )

        fired: list[Fired] = []
        handled = 0

        def work(connection: C) -> list[Fired | None]:
            done: list[Fired | None] = []
            together: list[PreparedRun] = []
            time_slice = TimeSlice(connection.slices)
            for firing in firings[handled : handled + PIECE]:
                done.append(self._fire(connection, firing, together))
                if time_slice.over:
                    break
            self._insertion.insert_runs(connection, self._sql, Scope.everything(), together)
            return done

        while handled < len(firings):
            new_runs = [firing.new_run for firing in firings[handled : handled + PIECE] if firing.new_run is not None]
            locks = [new_run.thread_id for new_run in new_runs if new_run.thread_metadata is None]
            try:
                step = await self._database.write(work, locks=locks)
            except Unavailable:
                if fired:  # whoever asked has to tell of them
                    break
                raise
            for room, done in zip(made_room[handled:], step, strict=False):
                handled += 1
                if done is not None:
                    fired.append(done)
                    if done.inserted is not None:
                        done.inserted.add_room(room)
        return fired

    def _fire(self, connection: C, firing: Firing, together: list[PreparedRun]) -> Fired | None:
        """A run with a thread of its own, which nothing refuses, is put `together` with others to be written."""
        cron, time = firing.cron, connection.now
        guard = {"cron_id": cron.cron_id, "was_due": cron.next_due, "revision": cron.revision}
        moved_on = connection.execute(self._sql["fire_cron"], {**guard, "next_due": firing.next_due, "now": time})
        if not moved_on.rowcount:
            return None
        moment = {"cron_id": cron.cron_id, "due": firing.due}
        run_id = None if firing.new_run is None else firing.new_run.run_id
        if not connection.execute(self._sql["note_firing"], {**moment, "run_id": run_id, "now": time}).rowcount:
            return None
        connection.execute(self._sql["forget_firings"], {"cron_id": cron.cron_id, "kept": FIRINGS_KEPT})
        if firing.new_run is None:
            return Fired(firing, None, firing.refusal)
        (run,) = prepare_runs(cron.runs_scope, [firing.new_run], self._clock(connection), time)
        if run.created is not None:
            together.append(run)
            return Fired(firing, InsertResult([run.created], int(run.row["queue"] == "ready"), CancelResult()))
        connection.execute("savepoint firing")
        try:
            fired = Fired(firing, self._insertion.insert_runs(connection, self._sql, cron.runs_scope, [run]))
        except (Conflict, NotFound) as error:
            connection.execute("rollback to firing")
            connection.execute(self._sql["note_refusal"], moment)
            fired = Fired(firing, None, error.detail)
        connection.execute("release firing")
        return fired


def _conditions(connection: Statements, scope: Scope, request: CronSearch | CronCountRequest) -> Conditions:
    where = connection.conditions()
    where.within(scope, "metadata")
    where.equal("assistant_id", request.assistant_id)
    where.equal("thread_id", request.thread_id)
    where.containing("metadata", request.metadata)
    return where
