"""Runs as their clients see them, on SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from runyard.generated.models import Run
from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.lifecycle import CANCELLED, ROLLED_BACK, UNKNOWN
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, InsertResult, NewRun, RunResult, RunStatus
from runyard.runtime.storage.sqlite.checkpoints import delete_checkpoints_of_thread
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.deliveries import add_delivery
from runyard.runtime.storage.sqlite.rows import as_dict, as_dicts, iso, run_from_row

BUSY = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."


class SqliteRuns:
    """See `RunStorage`."""

    def __init__(self, database: Database, queries: Mapping[str, str]) -> None:
        self._database = database
        self._sql = queries

    async def insert(self, drafts: Sequence[NewRun]) -> tuple[list[Run], InsertResult]:
        return await self._database.write(lambda connection: self._insert(connection, drafts))

    def _insert(self, connection: sqlite3.Connection, drafts: Sequence[NewRun]) -> tuple[list[Run], InsertResult]:
        time = now()
        stamp = iso(time)
        runs: list[Run] = []
        threads: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        cancelled = CancelResult()
        ready = 0
        for draft in drafts:
            due = time + int(draft.delay * 1e6) if draft.delay > 0 else None
            queue = "ready" if due is None else "delayed"
            metadata = draft.metadata
            if draft.thread_metadata is not None:
                threads.append(
                    {
                        "thread_id": draft.thread_id,
                        "now": time,
                        "status": "busy",
                        "metadata": orjson.dumps(draft.thread_metadata).decode(),
                        "graph_id": draft.graph_id,
                        "temporary": draft.temporary,
                    }
                )
            else:
                self._write(connection, threads, rows)  # on this thread there may be runs of the same batch
                metadata, waits = self._join_thread(connection, draft, time, cancelled)
                if waits and due is None:
                    queue = "waiting"
            ready += queue == "ready"
            rows.append(
                {
                    "run_id": draft.run_id,
                    "thread_id": draft.thread_id,
                    "assistant_id": draft.assistant_id,
                    "graph_id": draft.graph_id,
                    "queue": queue,
                    "lane": int(draft.lane),
                    "due": due,
                    "strategy": draft.strategy,
                    "temporary": draft.temporary,
                    "resumable": draft.resumable,
                    "watching": int(draft.interest),
                    "webhook": draft.webhook,
                    "metadata": orjson.dumps(metadata).decode(),
                    "kwargs": orjson.dumps(draft.kwargs).decode(),
                    "now": time,
                }
            )
            runs.append(_created(draft, metadata, stamp))
        self._write(connection, threads, rows)
        return runs, InsertResult(ready, cancelled)

    def _write(self, connection: sqlite3.Connection, threads: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
        connection.executemany(self._sql["insert_thread"], threads)
        connection.executemany(self._sql["insert_run"], rows)
        threads.clear()
        rows.clear()

    def _join_thread(
        self, connection: sqlite3.Connection, draft: NewRun, time: int, cancelled: CancelResult
    ) -> tuple[dict[str, Any], bool]:
        """Puts a run on an existing thread: its metadata, and whether it has to wait."""
        row = as_dict(connection, self._sql["thread"], (draft.thread_id,))
        if row is None:
            if not draft.create_thread:
                raise NotFound("Thread or assistant not found.")
            row = {"metadata": "{}"}
            connection.execute(
                self._sql["insert_thread"],
                {
                    "thread_id": draft.thread_id,
                    "now": time,
                    "status": "idle",
                    "metadata": "{}",
                    "graph_id": draft.graph_id,
                    "temporary": False,
                },
            )
        elif row["temporary"]:
            # It is more than its first run's now, whatever becomes of that one.
            connection.execute(self._sql["keep_thread"], (draft.thread_id,))
        if draft.strategy != "enqueue":
            self._clear_thread(connection, draft, time, cancelled)
        ahead = connection.execute(self._sql["runs_ahead"], (draft.thread_id,)).fetchone()
        thread_metadata = {
            **orjson.loads(row["metadata"]),
            "graph_id": draft.graph_id,
            "assistant_id": draft.assistant_id,
        }
        connection.execute(
            self._sql["thread_busy"],
            {
                "thread_id": draft.thread_id,
                "now": time,
                "graph_id": draft.graph_id,
                "metadata": orjson.dumps(thread_metadata).decode(),
            },
        )
        return {**thread_metadata, **draft.metadata}, ahead is not None

    def _clear_thread(self, connection: sqlite3.Connection, draft: NewRun, time: int, cancelled: CancelResult) -> None:
        """Deals with the other runs of the thread as the multitask strategy says; runs that are to start later
        count too (observed)."""
        active = connection.execute(self._sql["active_runs"], (draft.thread_id,)).fetchall()
        if active and draft.strategy == "reject":
            raise Conflict(BUSY)
        action: CancelAction = "interrupt" if draft.strategy == "interrupt" else "rollback"
        for seq, run_id in active:
            self._cancel_one(connection, seq, run_id, action, time, cancelled)

    async def get(self, thread_id: str, run_id: str) -> Run | None:
        row = self._database.look(
            lambda connection: as_dict(connection, self._sql["run"], {"run_id": run_id, "thread_id": thread_id})
        )
        return None if row is None else run_from_row(row)

    async def find(self, run_id: str) -> Run | None:
        row = self._database.look(lambda connection: as_dict(connection, self._sql["run_by_id"], (run_id,)))
        return None if row is None else run_from_row(row)

    async def of_thread(self, thread_id: str, *, limit: int, offset: int, status: RunStatus | None) -> list[Run]:
        parameters = {"thread_id": thread_id, "status": status, "limit": limit, "offset": offset}
        rows = await self._database.scan(
            lambda connection: as_dicts(connection, self._sql["runs_of_thread"], parameters)
        )
        return [run_from_row(row) for row in rows]

    async def place(self, run_id: str) -> tuple[str, bool] | None:
        row = self._database.look(lambda connection: connection.execute(self._sql["place"], (run_id,)).fetchone())
        return None if row is None else (row[0], bool(row[1]))

    async def ended(self, run_ids: Sequence[str]) -> list[RunResult]:
        return self._database.look(lambda connection: self._ended(connection, run_ids))

    def _ended(self, connection: sqlite3.Connection, run_ids: Sequence[str]) -> list[RunResult]:
        found: list[RunResult] = []
        for run_id in run_ids:
            row = connection.execute(self._sql["ended"], (run_id,)).fetchone()
            if row is None:
                found.append(RunResult(run_id, "error", UNKNOWN))
            elif row[1] is None:
                found.append(RunResult(run_id, row[0], row[2] or row[3] or b"null"))
        return found

    async def active(
        self, *, thread_id: str | None, run_ids: Sequence[str] | None, status: str
    ) -> list[tuple[str, str]]:
        queues = {"pending": ("ready", "waiting", "delayed"), "running": ("running",)}.get(
            status, ("ready", "waiting", "delayed", "running")
        )
        sql = "select thread_id, run_id from runs where queue in ({})".format(", ".join("?" * len(queues)))
        parameters: list[Any] = list(queues)
        if thread_id is not None:
            sql += " and thread_id = ?"
            parameters.append(thread_id)
        if run_ids is not None:
            sql += " and run_id in (select value from json_each(?))"
            parameters.append(orjson.dumps(list(run_ids)).decode())
        return await self._database.scan(lambda connection: connection.execute(sql, parameters).fetchall())

    async def cancel(self, runs: Sequence[tuple[str, str]], action: CancelAction) -> CancelResult:
        def work(connection: sqlite3.Connection) -> CancelResult:
            outcome = CancelResult()
            time = now()
            for thread_id, run_id in runs:
                row = connection.execute(
                    "select seq from runs where run_id = ? and thread_id = ?", (run_id, thread_id)
                ).fetchone()
                if row is not None:
                    self._cancel_one(connection, row[0], run_id, action, time, outcome)
            return outcome

        return await self._database.write(work)

    def _cancel_one(
        self,
        connection: sqlite3.Connection,
        seq: int,
        run_id: str,
        action: CancelAction,
        time: int,
        outcome: CancelResult,
    ) -> None:
        flagged = connection.execute(self._sql["request_cancel"], {"seq": seq, "action": action, "now": time})
        if flagged.rowcount:
            (worker,) = connection.execute("select worker from runs where seq = ?", (seq,)).fetchone()
            outcome.requested[run_id] = worker
            return
        name = "end_pending" if action == "interrupt" else "delete_pending"
        answer = CANCELLED if action == "interrupt" else ROLLED_BACK
        row = connection.execute(self._sql[name], {"seq": seq, "answer": answer, "now": time}).fetchone()
        if row is None:
            return
        outcome.ended.append(run_id)
        if action == "interrupt" and row[1] is not None:
            add_delivery(connection, self._sql, seq, time)
        outcome.promoted += self.leave_thread(connection, row[0], time)

    def leave_thread(self, connection: sqlite3.Connection, thread_id: str, time: int) -> int:
        """What follows when a run is gone without having changed its thread: the next one is promoted, the
        thread rests, and a temporary thread without runs is removed."""
        parameters = {"thread_id": thread_id, "now": time}
        promoted = connection.execute(self._sql["promote"], parameters).fetchall()
        gone = connection.execute(
            "delete from threads where thread_id = :thread_id and temporary "
            "and not exists (select 1 from runs where thread_id = :thread_id and queue is not null)",
            parameters,
        )
        if gone.rowcount:
            delete_checkpoints_of_thread(connection, thread_id)
        else:
            connection.execute(self._sql["rest_thread"], parameters)
        return len(promoted)

    async def delete(self, thread_id: str, run_id: str) -> int | None:
        def work(connection: sqlite3.Connection) -> int | None:
            row = connection.execute(self._sql["delete_run"], (run_id, thread_id)).fetchone()
            if row is None:
                return None
            connection.execute("delete from run_events where run_id = ?", (run_id,))
            return self.leave_thread(connection, thread_id, now())

        return await self._database.write(work)

    async def forget_outcomes(self, older_than: float, limit: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            before = now() - int(older_than * 1e6)
            gone = connection.execute(self._sql["answered_before"], (before, limit)).fetchall()
            for seq, run_id, temporary in gone:
                connection.execute(self._sql["forget_run" if temporary else "forget_answer"], (seq,))
                if temporary:
                    connection.execute("delete from run_events where run_id = ?", (run_id,))
            return len(gone)

        return await self._database.write(work)


def _created(draft: NewRun, metadata: dict[str, Any], stamp: str) -> Run:
    config = {**draft.kwargs["config"], "metadata": metadata}
    return Run(
        run_id=draft.run_id,
        thread_id=draft.thread_id,
        assistant_id=draft.assistant_id,
        created_at=stamp,
        updated_at=stamp,
        status="pending",
        metadata=metadata,
        kwargs={**draft.kwargs, "config": config},
        multitask_strategy=draft.strategy,
        langsmith_session_name=None,
    )
