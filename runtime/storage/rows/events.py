"""The logs of threads, on every backend: what other steps of a transaction ask of them."""

from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements


def last_event(connection: Statements, sql: Queries, run_id: str) -> int:
    """The number of a run's last stored event; 0 if there is none."""
    row = connection.execute(sql["last_event"], (run_id,)).fetchone()
    return 0 if row is None else int(row[0])


def last_of_thread(connection: Statements, sql: Queries, thread_id: str) -> int:
    """The last number that was given on a thread; 0 if there is none."""
    return int(one(connection, sql["last_of_thread"], (thread_id,))[0])
