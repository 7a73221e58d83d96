"""The steps by which runs are accepted on threads that are there, or many together, on Postgres."""

from collections.abc import Sequence

from runyard.runtime.errors import AssistantChanged
from runyard.runtime.storage.port.runs import CancelAction, CancelResult
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.many_rows import insert_rows
from runyard.runtime.storage.postgres.runs.acceptance import CHANGED
from runyard.runtime.storage.postgres.runs.cancellation import cancel_runs
from runyard.runtime.storage.rows.prepared_runs import PreparedRun
from runyard.runtime.storage.rows.rows import micros
from runyard.runtime.storage.shared.insertion import Insertion
from runyard.runtime.storage.sql.queries import Queries


def _check_assistants(connection: Connection, sql: Queries, prepared: Sequence[PreparedRun]) -> None:
    seen = {(run.new_run.assistant_id, at) for run in prepared if (at := run.new_run.seen_at) is not None}
    for assistant_id, at in seen:
        if connection.execute(sql["assistant_as_seen"], (assistant_id, micros(at))).fetchone() is None:
            raise AssistantChanged(CHANGED)


def _cancel_runs(
    connection: Connection,
    sql: Queries,
    runs: Sequence[tuple[int, str]],
    action: CancelAction,
    time: int,
    result: CancelResult,
) -> None:
    cancel_runs(connection, sql, [seq for seq, _ in runs], action, time, result)


INSERTION = Insertion(insert_rows, _cancel_runs, _check_assistants)
