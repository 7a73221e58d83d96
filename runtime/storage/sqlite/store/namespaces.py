"""Namespaces of the store, found by what they begin and end with."""

from __future__ import annotations

from runyard.runtime.storage.port.store import ListNamespaces, Namespace
from runyard.runtime.storage.rows.store import AFTER_SEPARATOR, ANY, SEPARATOR, namespace_of, namespace_text
from runyard.runtime.storage.sqlite.conditions import SqliteConditions
from runyard.runtime.storage.sqlite.database.connection import Connection


def add_below(where: SqliteConditions, prefix: Namespace) -> None:
    """The namespace is `prefix` or below it. The range is one of the index; what else is in it is left out."""
    if prefix:
        text = namespace_text(prefix)
        where.add("namespace >= ?", text)
        where.add("namespace < ?", text + AFTER_SEPARATOR)
        where.add("(namespace = ? or namespace >= ?)", text, text + SEPARATOR)


def list_namespaces(connection: Connection, wanted: ListNamespaces, now: int) -> list[Namespace]:
    where = SqliteConditions("(expires_at is null or expires_at > ?)")
    where.parameters.append(now)
    matching = SqliteConditions()
    add_below(where, wanted.below)
    for prefix in wanted.prefixes:
        plain = prefix[: prefix.index(ANY)] if ANY in prefix else prefix
        add_below(where, plain)
        if len(plain) < len(prefix):
            matching.add("begins_with(namespace, ?)", namespace_text(prefix))
    for suffix in wanted.suffixes:
        if suffix:
            matching.add("ends_with(namespace, ?)", namespace_text(suffix))
    name = "namespace"
    parameters: list[object] = []
    if wanted.max_depth is not None:
        name = "namespace_start(namespace, ?)"
        parameters.append(wanted.max_depth)
    # Materialized: functions are called with each namespace once, not for each item.
    sql = f"""
        with found as materialized (select distinct namespace from items {where})
        select distinct {name} as name from found {matching} order by name limit ? offset ?
    """
    rows = connection.execute(sql, (*where.parameters, *parameters, *matching.parameters, wanted.limit, wanted.offset))
    return [namespace_of(text) for (text,) in rows]


def add_namespace_functions(connection: Connection) -> None:
    """What the queries here call."""
    connection.create_function("begins_with", 2, _begins_with, deterministic=True)
    connection.create_function("ends_with", 2, _ends_with, deterministic=True)
    connection.create_function("namespace_start", 2, _start, deterministic=True)


def _begins_with(text: str, pattern: str) -> bool:
    namespace, labels = namespace_of(text), namespace_of(pattern)
    return len(labels) <= len(namespace) and _same(namespace[: len(labels)], labels)


def _ends_with(text: str, pattern: str) -> bool:
    namespace, labels = namespace_of(text), namespace_of(pattern)
    return len(labels) <= len(namespace) and _same(namespace[-len(labels) :], labels)


def _same(namespace: Namespace, labels: Namespace) -> bool:
    return all(label in (ANY, found) for found, label in zip(namespace, labels, strict=True))


def _start(text: str, depth: int) -> str:
    return namespace_text(namespace_of(text)[:depth])
