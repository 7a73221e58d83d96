"""Assistants, on Postgres."""

from runyard.runtime.storage.assistants import Assistants


class PostgresAssistants(Assistants):
    """See `Assistants`."""

    insertion_order = "seq"
    temporary_threads = "threads"
