"""Crons, on SQLite."""

from collections.abc import Sequence

from runyard.generated.models import CronCountRequest, CronSearch
from runyard.runtime.errors import Conflict, Forbidden, NotFound, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.fetching import fetch_dict, fetch_dicts
from runyard.runtime.storage.kept_answers import pack_cron
from runyard.runtime.storage.port.crons import CronChange, DueCrons, Fired, Firing, StoredCron
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import CancelResult, InsertResult
from runyard.runtime.storage.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.rows import NO_CRON_THREAD, cron_columns, cron_from_row, expiry_columns
from runyard.runtime.storage.scoping import on_cron, shows_cron, shows_thread
from runyard.runtime.storage.sqlite.conditions import SqliteConditions
from runyard.runtime.storage.sqlite.connection import Connection, now
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.sqlite.insertion import insert_runs, make_room
from runyard.runtime.storage.sqlite.queue_clock import QueueClock
from runyard.runtime.storage.time_slice import TimeSlice
from runyard.runtime.storage.used_keys import keep_key

SET_BACK = 60_000_000
"""Microseconds by which the time of day has to be behind the one at which a cron was timed. Small corrections need no
care: a moment is fired once."""

FIRINGS_KEPT = 20
"""Of each cron."""


class SqliteCrons:
    """Crons as rows, with an index on the moments that are waited for. The queries of searches are put together from
    what was asked for."""

    def __init__(self, database: Database, queries: Queries, clock: QueueClock) -> None:
        self._database = database
        self._sql = queries
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
        def work(connection: Connection) -> StoredCron:
            if cron.thread_id is not None:
                self._join_thread(connection, scope, cron.thread_id, expiry)
            time = now()
            row = {**cron_columns(change(cron, time)), "creator": scope.identity, "creator_details": scope.user}
            row["now"] = time
            connection.execute(self._sql["insert_cron"], row)
            created = self._get(connection, cron.cron_id)
            assert created is not None
            if key is not None:
                keep_key(connection, self._sql, scope, key, pack_cron(created))
            return created

        return await self._database.write(work)

    def _join_thread(self, connection: Connection, scope: Scope, thread_id: str, expiry: Expiry | None) -> None:
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

    def _get(self, connection: Connection, cron_id: str) -> StoredCron | None:
        row = fetch_dict(connection, self._sql["cron"], (cron_id,))
        return None if row is None else cron_from_row(row)

    async def change(self, scope: Scope, cron_id: str, change: CronChange) -> StoredCron | None:
        def work(connection: Connection) -> StoredCron | None:
            found = self._get(connection, cron_id)
            if found is None:
                return None
            if found.thread_id is not None and scope.beside and not self._reaches(connection, scope, found.thread_id):
                raise NotFound(NO_CRON_THREAD.format(found.thread_id))
            time = now()
            connection.execute(self._sql["update_cron"], {**cron_columns(change(found, time)), "now": time})
            if not shows_cron(connection, scope, cron_id):
                raise Forbidden(
                    "metadata: the cron would be out of your reach with it; leave the keys that make it yours"
                )
            return self._get(connection, cron_id)

        return await self._database.write(on_cron(scope, cron_id, work))

    @staticmethod
    def _reaches(connection: Connection, scope: Scope, thread_id: str) -> bool:
        return shows_thread(connection, scope.of("threads"), thread_id)

    async def delete(self, scope: Scope, cron_id: str) -> bool:
        def work(connection: Connection) -> bool:
            return bool(connection.execute(self._sql["delete_cron"], (cron_id,)).rowcount)

        return await self._database.write(on_cron(scope, cron_id, work)) or False

    async def search(self, scope: Scope, request: CronSearch, *, limit: int, offset: int) -> list[StoredCron]:
        where = _conditions(scope, request)
        where.equal("enabled", request.enabled)
        column = "next_due" if request.sort_by == "next_run_date" else request.sort_by
        order = request.sort_order
        sql = f"select * from crons {where} order by {column} {order}, rowid {order} limit ? offset ?"
        rows = await self._database.read_in_pool(
            lambda connection: fetch_dicts(connection, sql, (*where.parameters, limit, offset)), "search"
        )
        return [cron_from_row(row) for row in rows]

    async def count(self, scope: Scope, request: CronCountRequest) -> int:
        where = _conditions(scope, request)
        sql = f"select count(*) from crons {where}"
        found = await self._database.read_in_pool(
            lambda connection: connection.execute(sql, where.parameters).fetchone(), "search"
        )
        return int(found[0])

    # What the server does

    async def due(self, limit: int) -> DueCrons:
        time = now()

        def read(connection: Connection) -> DueCrons:
            (next_due,) = connection.execute(self._sql["next_cron"]).fetchone()
            crons = []
            if next_due is not None and next_due <= time:
                crons = fetch_dicts(connection, self._sql["due_crons"], (time, limit))
            misdated = fetch_dicts(connection, self._sql["misdated_crons"], (time + SET_BACK, limit))
            seconds = None if next_due is None else max(0.0, (next_due - time) / 1e6)
            return DueCrons(time, [*map(cron_from_row, crons)], seconds, [*map(cron_from_row, misdated)])

        return self._database.read(read)

    async def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        scopes = [firing.cron.runs_scope for firing in firings]
        made_room: list[list[CancelResult]] = []
        prepared: list[list[PreparedRun]] = []
        for firing, scope in zip(firings, scopes, strict=True):
            new_run = firing.new_run
            made_room.append([] if new_run is None else await make_room(self._database, self._sql, scope, new_run))
            prepared.append([] if new_run is None else prepare_runs(scope, [new_run], self._clock.now(), now()))

        fired: list[Fired] = []
        handled = 0

        def work(connection: Connection) -> list[Fired | None]:
            done: list[Fired | None] = []
            together: list[PreparedRun] = []
            time_slice = TimeSlice()
            while handled + len(done) < len(firings) and not (done and time_slice.over):
                index = handled + len(done)
                done.append(self._fire(connection, scopes[index], firings[index], prepared[index], together))
            insert_runs(connection, self._sql, Scope.everything(), together)
            return done

        while handled < len(firings):
            try:
                step = await self._database.write(work)
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

    def _fire(
        self,
        connection: Connection,
        scope: Scope,
        firing: Firing,
        prepared: list[PreparedRun],
        together: list[PreparedRun],
    ) -> Fired | None:
        """A run with a thread of its own, which nothing refuses, is put `together` with others to be written."""
        cron, time = firing.cron, now()
        guard = {"cron_id": cron.cron_id, "was_due": cron.next_due, "revision": cron.revision}
        moved_on = connection.execute(self._sql["fire_cron"], {**guard, "next_due": firing.next_due, "now": time})
        if not moved_on.rowcount:
            return None
        moment = {"cron_id": cron.cron_id, "due": firing.due}
        run_id = None if firing.new_run is None else firing.new_run.run_id
        if not connection.execute(self._sql["note_firing"], {**moment, "run_id": run_id, "now": time}).rowcount:
            return None
        connection.execute(self._sql["forget_firings"], {"cron_id": cron.cron_id, "kept": FIRINGS_KEPT})
        if not prepared:
            return Fired(firing, None, firing.refusal)
        (run,) = prepared
        if run.created is not None:
            together.append(run)
            return Fired(firing, InsertResult([run.created], int(run.row["queue"] == "ready"), CancelResult()))
        connection.execute("savepoint firing")
        try:
            return Fired(firing, insert_runs(connection, self._sql, scope, prepared))
        except (Conflict, NotFound) as error:
            connection.execute("rollback to firing")
            connection.execute(self._sql["note_refusal"], moment)
            return Fired(firing, None, error.detail)
        finally:
            connection.execute("release firing")


def _conditions(scope: Scope, request: CronSearch | CronCountRequest) -> SqliteConditions:
    where = SqliteConditions()
    where.within(scope, "metadata")
    where.equal("assistant_id", request.assistant_id)
    where.equal("thread_id", request.thread_id)
    where.containing("metadata", request.metadata)
    return where
