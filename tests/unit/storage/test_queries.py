"""Files of named SQL statements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runyard.runtime.storage import sqlite
from runyard.runtime.storage.queries import load_queries, parse_queries

ADAPTER = Path(next(iter(sqlite.__path__)))


def test_a_statement_is_known_by_its_name_without_comments_and_semicolon() -> None:
    file = "-- All about runs.\n\n-- name: one\n-- Why.\nselect 1\nfrom runs;\n\n-- name: two\nselect 2;\n"
    assert parse_queries([file]) == {"one": "select 1\nfrom runs", "two": "select 2"}


def test_a_name_is_given_once_over_all_files() -> None:
    with pytest.raises(ValueError, match="two SQL statements are named claim"):
        parse_queries(["-- name: claim\nselect 1;\n", "-- name: other\nselect 2;\n-- name: claim\nselect 3;\n"])


def test_every_statement_of_the_adapter_is_executed_somewhere() -> None:
    code = "".join(path.read_text() for path in ADAPTER.rglob("*.py"))
    named = set(re.findall(r'"(\w+)"', code))
    assert sorted(load_queries("sqlite").keys() - named) == []


def test_every_statement_that_the_adapter_executes_is_there() -> None:
    code = "".join(path.read_text() for path in ADAPTER.rglob("*.py"))
    executed = set(re.findall(r'sql\["(\w+)"\]', code))
    assert sorted(executed - load_queries("sqlite").keys()) == []
    assert len(executed) > 50
