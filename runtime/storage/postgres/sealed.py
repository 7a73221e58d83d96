"""Encrypted values, on Postgres: how they are encrypted anew. The statements are put
together from the columns that there are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from runyard.runtime.storage.port.sealed import Noun, Replacement
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.store.items import digest_of
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.time_slice import PIECE

_TABLES: Final[dict[Noun, tuple[tuple[str, ...], str]]] = {
    "thread": (("threads",), "thread_id = %s"),
    "run": (("runs",), "run_id = %s"),
    "removed_item": (("removed_items",), "batch_id = %s and batch_index = %s::bigint"),
    "assistant": (("assistants", "assistant_versions"), "assistant_id = %s"),
    "cron": (("crons",), "cron_id = %s"),
    "batch": (("batches",), "batch_id = %s"),
    "checkpoint": (("checkpoints",), "thread_id = %s and ns = %s and checkpoint_id = %s"),
    "blob": (("checkpoint_blobs",), "thread_id = %s and ns = %s and channel = %s"),
    "write": (("checkpoint_writes",), "thread_id = %s and ns = %s and checkpoint_id = %s and task_id = %s"),
    "events": (("thread_events",), "run_id = %s"),
    "item": (("store_items",), "digest = %s"),
}
"""Where the values of a noun stand, and what its key names of that."""


class _Json(NamedTuple):
    """How the JSON in a column is read as text, or bytes, how a part of it is given as such, and how it is stored."""

    read: str
    part: str
    store: str


_TEXT: Final = _Json("{}", "%s::text", "{}")
_SEARCHED: Final = _Json("{}::text", "%s::jsonb::text", "({})::jsonb")
_PAYLOAD: Final = _Json("{}", "convert_to(%s, 'UTF8')", "{}")
_COLUMNS: Final = {
    "metadata": _SEARCHED,
    **dict.fromkeys(("state", "interrupts", "error", "answer", "failure"), _PAYLOAD),
}
"""Those whose JSON is not text."""


class PostgresSealed:
    """See `SealedStorage`."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def replace(self, replacements: Sequence[Replacement]) -> None:
        for begin in range(0, len(replacements), PIECE):
            piece = replacements[begin : begin + PIECE]
            threads = {each.place.key[0] for each in piece if each.place.noun == "thread"}
            await self._database.write(partial(_replace_all, self._sql, piece), locks=threads)


def _replace_all(sql: Queries, replacements: Sequence[Replacement], connection: Connection) -> None:
    for each in replacements:
        noun, key, column = each.place
        tables, where = _TABLES[noun]
        given = [digest_of(tuple(key[0].split(".")), key[1])] if noun == "item" else list(key)
        for table in tables:
            if isinstance(each.old, bytes):
                statement = f"update {table} set {column} = %s where {where} and {column} = %s"
                connection.execute(statement, (each.new, *given, each.old))
                continue
            json = _COLUMNS.get(column, _TEXT)
            stands = json.read.format(column)
            place = f"position({json.part} in {stands})"
            changed = f"overlay({stands} placing {json.part} from {place} for length({json.part}))"
            connection.execute(
                f"update {table} set {column} = {json.store.format(changed)} where {where} and {place} > 0",
                (each.new, each.old, each.old, *given, each.old),
            )
        if (noun, column) == ("thread", "state"):
            connection.execute(sql["share_answer_again"], {"thread_id": key[0], "old": each.old})
