"""The steps by which runs are accepted, on SQLite."""

from collections.abc import Sequence

from runyard.runtime.storage.port.runs import CancelAction, CancelResult
from runyard.runtime.storage.shared.insertion import Insertion
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.many_rows import insert_rows
from runyard.runtime.storage.sqlite.runs.cancellation import cancel_run


def _cancel_runs(
    connection: Connection,
    sql: Queries,
    runs: Sequence[tuple[int, str]],
    action: CancelAction,
    time: int,
    result: CancelResult,
) -> None:
    for seq, run_id in runs:
        cancel_run(connection, sql, seq, run_id, action, time, result)


INSERTION = Insertion(insert_rows, _cancel_runs)
