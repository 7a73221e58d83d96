"""Files of named SQL statements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runyard.runtime import storage
from runyard.runtime.storage.sql.queries import load_queries, parse_queries, with_percent_signs

STORAGE = Path(next(iter(storage.__path__)))


def code_of(backend: str) -> str:
    """With what all backends share."""
    others = {"sqlite", "postgres"} - {backend}
    paths = [path for path in STORAGE.rglob("*.py") if not others & {*path.relative_to(STORAGE).parts}]
    return "".join(path.read_text() for path in paths)


def test_a_statement_is_known_by_its_name_without_comments_and_semicolon() -> None:
    file = "-- All about runs.\n\n-- name: one\n-- Why.\nselect 1\nfrom runs;\n\n-- name: two\nselect 2;\n"
    assert parse_queries([file]) == {"one": "select 1\nfrom runs", "two": "select 2"}


def test_a_name_is_given_once_over_all_files() -> None:
    with pytest.raises(ValueError, match="two SQL statements are named claim"):
        parse_queries(["-- name: claim\nselect 1;\n", "-- name: other\nselect 2;\n-- name: claim\nselect 3;\n"])


def test_what_is_shared_gets_the_parameters_of_the_driver() -> None:
    assert with_percent_signs("select :a, a % 2 from t where b = ?") == "select %(a)s, a %% 2 from t where b = %s"


def test_rows_are_locked_by_statements_that_postgres_has() -> None:
    named = set(re.findall(r"lock_rows\(connection, [\w.]+, \"(\w+)\"", code_of("postgres")))
    assert named
    assert sorted(named - load_queries("postgres").keys()) == []


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_every_statement_of_a_backend_is_executed_somewhere(backend: str) -> None:
    named = set(re.findall(r"[\"'](\w+)[\"']", code_of(backend)))
    assert sorted(load_queries(backend).keys() - named) == []


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_every_statement_that_a_backend_executes_is_there(backend: str) -> None:
    executed = set(re.findall(r"sql\[[\"'](\w+)[\"']\]", code_of(backend)))
    assert sorted(executed - load_queries(backend).keys()) == []
    assert len(executed) > 50
