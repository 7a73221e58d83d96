"""Namespaces of the store, found by what they begin and end with."""

from __future__ import annotations

from runyard.runtime.storage.port.store import ListNamespaces, Namespace
from runyard.runtime.storage.postgres.conditions import PostgresConditions
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.rows.store import AFTER_SEPARATOR, ANY, SEPARATOR, namespace_of, namespace_text

INDEXED = 500
"""Characters of a namespace that the index has room for."""


def add_below(where: PostgresConditions, prefix: Namespace) -> None:
    """The namespace is `prefix` or below it. The range is one of the index; what else is in it is left out."""
    if prefix:
        text = namespace_text(prefix)
        where.add(f"left(namespace, {INDEXED}) >= %s", text[:INDEXED])
        where.add(f"left(namespace, {INDEXED}) <= %s", (text + AFTER_SEPARATOR)[:INDEXED])
        where.add(
            "(namespace = %s or namespace >= %s and namespace < %s)", text, text + SEPARATOR, text + AFTER_SEPARATOR
        )


def list_namespaces(connection: Connection, wanted: ListNamespaces) -> list[Namespace]:
    where = PostgresConditions("(expires_at is null or expires_at > %s)")
    where.parameters.append(connection.now)
    matching = PostgresConditions()
    add_below(where, wanted.below)
    for prefix in wanted.prefixes:
        plain = prefix[: prefix.index(ANY)] if ANY in prefix else prefix
        add_below(where, plain)
        if len(plain) < len(prefix):
            _add_labels(matching, prefix, from_end=False)
    for suffix in wanted.suffixes:
        _add_labels(matching, suffix, from_end=True)
    name = "namespace"
    parameters: list[object] = []
    if wanted.max_depth is not None:
        name = "array_to_string(labels[:least(%s::bigint, cardinality(labels))::int], '.') collate \"C\""
        parameters.append(wanted.max_depth)
    # Materialized: each namespace is taken apart once, not for each item.
    sql = f"""
        with found as materialized (
          select namespace, string_to_array(namespace, '.') as labels
          from (select distinct namespace from store_items {where}) as distinct_ones)
        select distinct {name} as name from found {matching} order by name limit %s offset %s
    """
    rows = connection.execute(sql, (*where.parameters, *parameters, *matching.parameters, wanted.limit, wanted.offset))
    return [namespace_of(text) for (text,) in rows]


def _add_labels(where: PostgresConditions, labels: Namespace, *, from_end: bool) -> None:
    """`labels` begins or ends with these; `*` is any."""
    where.add("cardinality(labels) >= %s", len(labels))
    for place, label in enumerate(labels, start=1):
        if label != ANY:
            index = f"cardinality(labels) - {len(labels) - place}" if from_end else str(place)
            where.add(f"labels[{index}] = %s", label)
