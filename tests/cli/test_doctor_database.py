"""What `runyard doctor` says of a Postgres."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from tests.storage.postgres_server import address

from .postgres_servers import PASSWORD, database, write_project
from .processes import Run


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def diagnose(runyard: Run, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the finding about the database."""
    result = runyard("doctor", "--json", "--port", "0", *options)
    assert PASSWORD.encode() not in result.stdout + result.stderr
    found = [finding for finding in json.loads(result.stdout)["findings"] if finding["check"] == "database"]
    assert len(found) == 1
    return result.returncode, found[0]


def test_a_database_is_looked_at_and_left_as_it_is(runyard: Run) -> None:
    schema = f"t{uuid.uuid4().hex}"
    options = ("--database", database(), "--database-schema", schema, "--role", "api")
    code, found = diagnose(runyard, *options)
    assert (code, found["level"]) == (0, "ok")
    assert "answers, version" in found["message"]
    assert "the start makes the tables" in found["message"]
    with psycopg.connect(address()) as connection:
        assert connection.execute("select to_regnamespace(%s)", (schema,)).fetchone() == (None,)


def test_a_database_that_cannot_be_used_is_a_problem(runyard: Run) -> None:
    code, found = diagnose(runyard, "--database", conninfo.make_conninfo(database(), dbname="absent"))
    assert (code, found["level"]) == (1, "problem")
    assert "cannot be connected to" in found["message"]
