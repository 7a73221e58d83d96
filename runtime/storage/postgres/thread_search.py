"""How Postgres is led to the threads that are searched: see `ThreadTables`. It chooses indexes by itself."""

from typing import Final

from runyard.runtime.storage.shared.thread_search import ThreadTables

LONGEST_TAG: Final = 1_000
"""Bytes of key and value; longer ones are in no index, see the schema."""

THREAD_TABLES: Final = ThreadTables(
    by_id="threads",
    by_status="threads",
    temporary="threads",
    with_ids="(select distinct unnest(%s::text[]) as thread_id) as wanted join threads using (thread_id)",
    with_tag="(select distinct thread_id from thread_tags where key = %s and value in (%s, %s)) as tags "
    "join threads using (thread_id)",
    status="threads.status",
    values="json_of(threads.state)",
    longest_tag=LONGEST_TAG,
)
