"""How SQLite is led to the threads that are searched: see `ThreadTables`."""

from typing import Final

from runyard.runtime.storage.shared.thread_search import ThreadTables

THREAD_TABLES: Final = ThreadTables(
    # SQLite would rather sort everything than walk along the ids.
    by_id="threads indexed by sqlite_autoindex_threads_1",
    by_status="threads indexed by thread_status",
    temporary="threads indexed by thread_temporary",
    with_ids="(select distinct value from json_each(?)) as wanted "
    "cross join threads on threads.thread_id = wanted.value",
    with_tag="(select thread_id from thread_tags where key = ? and value in (?, ?)) as tags "
    "cross join threads using (thread_id)",
    # A plus keeps SQLite from taking the index of the status.
    status="+threads.status",
    values="threads.state",
)
