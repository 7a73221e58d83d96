"""Assistants, on SQLite."""

from runyard.runtime.storage.shared.assistants import Assistants


class SqliteAssistants(Assistants):
    """See `Assistants`."""

    insertion_order = "rowid"
    temporary_threads = "threads indexed by thread_temporary"
