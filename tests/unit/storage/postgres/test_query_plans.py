"""What Postgres looks at to answer each statement with many rows in every table: never at a whole one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import psycopg
import pytest

from runyard.generated.models import ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import SearchItems
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sql.queries import load_queries
from tests.storage.postgres_server import address, schema_of

from .full_tables import fill

ALL = Scope.everything()
QUERIES = load_queries("postgres")
NO_PLAN = re.compile(r"(create|truncate|lock|set) ", re.IGNORECASE)
COMPLETED_LATER = {"stored_checkpoints"}
"""Conditions are added where it is used."""
READ_ASIDE = {"checkpoints_of_runs", "blobs_of_runs", "writes_of_runs"}
"""Read all there are, in a pool for what takes long."""
COUNTS = {"depth", "waits", "bytes_of_results", "forget_excess_keys"}
"""Count or sum all that waits or is kept, every few seconds at most."""
LITTLE = ("workers", "worker_leases", "probes", "discarded_threads", "discarded_batches", "postponed_expiries",
          "duration_classes", "encryption", "imports", "pg_extension", "pg_namespace", "store_vectors",
          "sign_ins")  # fmt: skip
"""Tables that hold little, or are there only for what the statement is about."""
PARTIAL = (
    "run_owned", "run_active", "run_one", "run_trying", "run_held", "batch_active", "batch_cancelled", "batch_erasing",
    "batch_start_due", "batch_finish_due", "thread_temporary", "thread_unsettled", "delivery_sender",
)  # fmt: skip
"""Indexes that hold little, and may be looked at as a whole."""

VALUES = {
    "thread_id": "t7", "run_id": "r7", "batch_id": "b8", "worker": "w1", "assistant_id": "a7", "cron_id": "c7",
    "ns": "", "checkpoint_id": "c7", "status": "success", "queue": "ready", "seq": 7, "seqs": 7, "limit": 20,
    "key": "k7", "metadata": "{}", "index": "i", "names": "n",
}  # fmt: skip
"""Of parameters, by their own name or that of the column that they are compared with."""


@pytest.fixture(
    scope="module", params=[4_000, pytest.param(1_000_000, marks=[pytest.mark.full, pytest.mark.timeout(600)])]
)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A database with so many runs, and many rows of all else."""
    target = Target.parse(address(), schema_of(tmp_path_factory.mktemp("plans")))
    storage = PostgresStorage(target)
    storage.open(maintain=False)
    storage.close()
    with connect(target) as connection:
        fill(connection, request.param)
    yield target
    with connect(target) as connection:
        connection.execute(f"drop schema {target.schema} cascade")


@pytest.fixture(scope="module")
def connection(target: Target) -> Iterator[psycopg.Connection]:
    with connect(target) as connection:
        yield connection


@pytest.fixture
def storage(target: Target) -> Iterator[PostgresStorage]:
    storage = PostgresStorage(target)
    yield storage
    storage.close()


def connect(target: Target) -> psycopg.Connection:
    connection = psycopg.connect(target.url, autocommit=True)
    connection.execute(f"set search_path = {target.schema}; set plan_cache_mode = force_custom_plan")
    return connection


def numbered(statement: str) -> tuple[str, list[str]]:
    """The statement with its parameters as `$1`, and of each the name, or that of the column beside it."""
    names: list[str] = []
    kept: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            column = re.search(r"(\w+)\s*(?:=|<=|>=|<|>|<>)\s*(?:any\()?$", statement[: found.start()])
            limits = re.search(r"(limit)\s+$", statement[: found.start()])
            names.append(column[1] if column else limits[1] if limits else "")
            return f"${len(names)}"
        if name not in kept:
            names.append(name)
            kept[name] = len(names)
        return f"${kept[name]}"

    return re.sub(r"%(?:\((\w+)\))?[sb]", place, statement).replace("%%", "%"), names


def value(name: str, kind: str) -> str:
    """A literal of that type."""
    element = kind.removesuffix("[]")
    given: Any = VALUES.get(name, VALUES.get(f"{name.removesuffix('s')}_id", VALUES.get(name.removesuffix("s"))))
    if element in ("jsonb", "json"):
        text = "{}"
    elif element in ("bigint", "integer", "smallint", "double precision", "numeric"):
        text = str(given) if isinstance(given, int) else "1"
    elif element == "boolean":
        text = "false"
    else:
        text = given if isinstance(given, str) else "x"
    return f"'{{{text}}}'::{kind}" if kind.endswith("[]") else f"'{text}'::{kind}"


def plan(connection: psycopg.Connection, statement: str) -> dict[str, Any]:
    text, names = numbered(statement)
    connection.execute(f"prepare planned as {text}")
    try:
        row = connection.execute("select parameter_types::text[] from pg_prepared_statements where name = 'planned'")
        (types,) = row.fetchone() or ([],)
        values = ", ".join(
            f"null::{kind}" if f"%({name})s::{kind} is null" in statement else value(name, kind)
            for name, kind in zip(names, types, strict=True)
        )
        explain = f"explain (format json) execute planned{f'({values})' if values else ''}"
        (found,) = connection.execute(explain).fetchone() or ([],)
    finally:
        connection.execute("deallocate planned")
    top: dict[str, Any] = found[0]["Plan"]
    return top


def steps(node: dict[str, Any], limited: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """All of a plan; with whether no more rows are taken of it than are asked for."""
    yield node, limited
    passes_on = node["Node Type"] in (
        "Limit",
        "LockRows",
        "Result",
        "Incremental Sort",
        "Nested Loop",
        "Subquery Scan",
        "Append",
        "Merge Append",
    )
    for below in node.get("Plans", ()):
        yield from steps(below, node["Node Type"] == "Limit" or (limited and passes_on))


def judged(name: str) -> bool:
    """Not those whose schema is written in only when it is known, either."""
    return (
        name not in COMPLETED_LATER | READ_ASIDE | COUNTS
        and "{" not in QUERIES[name]
        and not NO_PLAN.match(QUERIES[name])
    )


@pytest.mark.parametrize("name", sorted(filter(judged, QUERIES)))
def test_no_statement_looks_at_a_whole_table(connection: psycopg.Connection, name: str) -> None:
    judge(plan(connection, QUERIES[name]))


SEARCHES: dict[str, Callable[[PostgresStorage], Awaitable[object]]] = {
    "threads, newest": lambda storage: storage.threads.search(ALL, ThreadSearchRequest(), limit=10, offset=0),
    "threads by id": lambda storage: storage.threads.search(ALL, ThreadSearchRequest(ids=["t7"]), limit=10, offset=0),
    "threads by metadata": lambda storage: storage.threads.search(
        ALL, ThreadSearchRequest(metadata={"owner": "o7"}), limit=10, offset=0
    ),
    "threads by status": lambda storage: storage.threads.search(
        ALL, ThreadSearchRequest(status="busy", sort_by="status"), limit=10, offset=0
    ),
    "threads counted by metadata": lambda storage: storage.threads.count(
        ALL, ThreadCountRequest(metadata={"owner": "o7"})
    ),
    "threads of somebody": lambda storage: storage.threads.search(
        Scope(identity="me", filter={"owner": "o7"}), ThreadSearchRequest(), limit=10, offset=0
    ),
    "items, newest": lambda storage: storage.store.batch(ALL, [SearchItems()]),
    "items below a namespace": lambda storage: storage.store.batch(ALL, [SearchItems(prefix=("users", "7"))]),
    "latest checkpoint": lambda storage: storage.checkpoints.latest("t7", "", lambda kind, data: {"messages": "1"}),
    "one checkpoint": lambda storage: storage.checkpoints.get("t7", "", "c7"),
    "history": lambda storage: storage.checkpoints.history("t7", "", before="c9", limit=10),
}
"""What is put together from what was asked for."""


@pytest.mark.parametrize("name", SEARCHES)
async def test_no_search_looks_at_a_whole_table(
    connection: psycopg.Connection, storage: PostgresStorage, statements: list[tuple[str, Any]], name: str
) -> None:
    statements.clear()
    await SEARCHES[name](storage)
    assert statements
    for statement, parameters in statements:
        (found,) = connection.execute(f"explain (format json) {statement}", parameters).fetchone() or ([],)
        judge(found[0]["Plan"], walks=True)


def asks(step: dict[str, Any], what: str) -> bool:
    """Whether a condition asks for more than that something is there, which the index may say already."""
    return bool(re.sub(r"[()]|AND|\w+ IS NOT NULL| ", "", step.get(what, "")))


def judge(plan: dict[str, Any], *, walks: bool = False) -> None:
    """`walks`: a page may be filled along an index, and what does not belong to it be passed over."""
    for step, limited in steps(plan):
        kind, table, index = step["Node Type"], step.get("Relation Name"), step.get("Index Name")
        if kind == "Seq Scan":
            assert table in LITTLE, step
        elif "Index" in kind and not asks(step, "Index Cond") and index not in PARTIAL:
            assert (limited and (walks or not asks(step, "Filter"))) or table in LITTLE, step
