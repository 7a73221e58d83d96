"""How Postgres is led to the threads that are searched: see `ThreadTables`.

It chooses indexes by itself, but not the order of a join: by what it knew of a table some time ago it may expect one
row where there are thousands, and look through all of the ids for each of them. `offset 0` leaves it no choice: each
thread is looked up by its id.
"""

from typing import Final

from runyard.runtime.storage.shared.thread_search import ThreadTables

LONGEST_TAG: Final = 1_000
"""Bytes of key and value; longer ones are in no index, see the schema."""

_EACH: Final = "cross join lateral (select * from threads where thread_id = wanted.thread_id offset 0) as threads"

THREAD_TABLES: Final = ThreadTables(
    by_id="threads",
    by_status="threads",
    temporary="threads",
    with_ids=f"(select distinct unnest(%s::text[]) as thread_id) as wanted {_EACH}",
    with_tag=f"(select distinct thread_id from thread_tags where key = %s and value in (%s, %s)) as wanted {_EACH}",
    status="threads.status",
    values="json_of(threads.state)",
    longest_tag=LONGEST_TAG,
)
