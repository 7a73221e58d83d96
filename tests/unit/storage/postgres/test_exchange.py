"""Statements and their answers, as the parts of storage see them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.errors import is_lost
from runyard.runtime.storage.postgres.database.exchange import KEPT
from runyard.runtime.storage.postgres.database.target import Target
from tests.storage.postgres_server import address


@pytest.fixture
def connection() -> Iterator[Connection]:
    opened = Connection(Target.parse(address()))
    yield opened
    opened.close()


def test_parameters_have_names_or_places(connection: Connection) -> None:
    named = connection.execute("select %(a)s::text, %(b)s::bigint, %(a)s::text", {"a": "x", "b": 2**40, "more": 1})
    assert named.fetchall() == [("x", 2**40, "x")]
    assert connection.execute("select %s::text || '%%', %s::boolean", ("x", True)).fetchone() == ("x%", True)
    assert connection.execute("select 7 %% 4", {"none": "of them"}).fetchone() == (3,)


def test_values_keep_their_kind(connection: Connection) -> None:
    given = (None, ["a", None], [b"\0\1"], 1.5, '{"a": [1]}')
    answer = connection.execute("select %s::text, %s::text[], %b::bytea[], %s::double precision, %s::jsonb", given)
    assert answer.fetchone() == (None, ["a", None], [b"\0\1"], 1.5, b'{"a": [1]}')


def test_rows_are_given_once(connection: Connection) -> None:
    answer = connection.execute("select number as n, 1 as one from generate_series(1, 4) number")
    assert [column[0] for column in answer.description] == ["n", "one"]
    assert answer.rowcount == 4
    assert answer.fetchone() == (1, 1)
    assert next(iter(answer)) == (2, 1)
    assert answer.fetchall() == [(3, 1), (4, 1)]
    assert answer.fetchone() is None
    assert answer.fetchall() == []


def test_changed_rows_are_counted(connection: Connection) -> None:
    connection.begin(seconds=5)
    connection.execute("create temporary table counted (n bigint) on commit drop")
    assert connection.execute("insert into counted select * from generate_series(1, 3)").rowcount == 3
    assert connection.execute("delete from counted where n > %s", (1,)).rowcount == 2
    assert connection.execute("delete from counted where n > %s", (1,)).fetchall() == []
    connection.commit()


def test_an_error_says_what_it_is_and_the_connection_goes_on(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero) as raised:
        connection.execute("select 1 / %s", (0,))
    assert raised.value.sqlstate == "22012"
    assert not is_lost(raised.value)
    with pytest.raises(KeyError):
        connection.execute("select %(a)s", {})
    with pytest.raises(psycopg.DataError):
        connection.execute("select %s::text", ("\0",))
    assert connection.execute("select 1").fetchone() == (1,)


def test_a_copy_is_refused_as_a_statement(connection: Connection) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute("copy (select 1) to stdout")
    assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("terminated", [True, False])
def test_a_connection_that_is_lost_says_so(connection: Connection, terminated: bool) -> None:
    if terminated:
        (pid,) = connection.execute("select pg_backend_pid()").fetchall()[0]
        with psycopg.connect(address(), autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", (pid,))
    else:
        connection.break_off()
    for _ in range(2):
        with pytest.raises(psycopg.Error) as raised:
            connection.execute("select %s::text", ("x",))
        assert is_lost(raised.value)
        assert not connection.usable
    with pytest.raises(psycopg.Error) as raised:
        connection.begin(seconds=5)
    assert is_lost(raised.value)


def test_a_connection_is_lost_whether_or_not_the_library_knows_that_yet(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pgconn = connection._connection.pgconn
    unsent = pgconn.make_empty_result(ExecStatus.FATAL_ERROR)
    monkeypatch.setattr(connection._exchange, "_pgconn", Unsending(pgconn, unsent))
    with pytest.raises(psycopg.OperationalError) as raised:
        connection.begin(seconds=5)
    assert is_lost(raised.value)
    assert not connection.usable


class Unsending:
    """A connection that fails to send, and is believed to be there."""

    def __init__(self, pgconn: PGconn, unsent: PGresult) -> None:
        self._pgconn = pgconn
        self._unsent = unsent

    def exec_(self, script: bytes) -> PGresult:
        return self._unsent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pgconn, name)


def test_others_see_for_how_long_a_statement_is_silent_and_end_it(connection: Connection) -> None:
    assert connection.silent(1e9) == 0.0
    with psycopg.connect(address()) as other:
        other.execute("select pg_advisory_xact_lock(77)")
        errors: list[psycopg.Error] = []

        def wait() -> None:
            try:
                connection.execute("select pg_advisory_xact_lock(77)")
            except psycopg.Error as error:
                errors.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        # Cancelling before the server has begun does nothing, so it is asked for until it helps.
        while waiting.is_alive():
            if connection.silent(1e9):
                connection.cancel()
            waiting.join(0.05)
    assert isinstance(errors[0], psycopg.errors.QueryCanceled)
    assert connection.silent(1e9) == 0.0
    assert connection.execute("select 1").fetchone() == (1,)


def kept(connection: Connection) -> int:
    (count,) = connection.execute("select count(*) from pg_prepared_statements").fetchall()[0]
    return int(count)


def test_a_session_keeps_statements_that_ask_for_it(connection: Connection) -> None:
    for number in range(3):
        assert connection.execute(f"{KEPT} select %s::bigint", (number,)).fetchone() == (number,)
        assert connection.execute("select %s::bigint + 1", (number,)).fetchone() == (number + 1,)
    assert kept(connection) == 1
    assert connection.execute(f"{KEPT} select %s::bigint", (2**40,)).fetchone() == (2**40,)
    assert connection.execute(f"{KEPT} select %s::bigint", (None,)).fetchone() == (None,)
    assert kept(connection) == 3  # one for each type


def test_what_is_kept_outlives_a_transaction_that_fails(connection: Connection) -> None:
    for number in (1, 0):
        connection.begin(seconds=5)
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute(f"{KEPT} select %s::bigint / 0", (number,))
        connection.roll_back()
    assert kept(connection) == 1


@pytest.mark.parametrize("lost", ["deallocate all", "alter table changing add column b bigint default 2"])
async def test_a_statement_that_is_not_kept_any_more_is_asked_for_again(lost: str) -> None:
    target = Target.parse(address())
    database = Database(target, connections=1)
    statement = f"{KEPT} select * from changing where a = %s"

    def prepare(connection: Connection) -> None:
        connection.execute("create temporary table changing as select 1::bigint as a")

    try:
        await database.read(prepare)
        for _ in range(2):
            assert await database.read(lambda connection: connection.execute(statement, (1,)).fetchall()) == [(1,)]

        looks = 0

        def look(connection: Connection) -> list[tuple[int, ...]]:
            nonlocal looks
            looks += 1
            if looks == 1:
                connection.execute(lost)
            return connection.execute(statement, (1,)).fetchall()

        found = await database.read(look)
        assert found == [(1, 2) if "column" in lost else (1,)]
        assert looks == 2
    finally:
        database.close()
