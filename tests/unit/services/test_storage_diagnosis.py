"""What `runyard doctor` says of a Postgres that would not do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.services.findings import Diagnosis, Finding
from runyard.runtime.services.storage_diagnosis import look_at_storage
from tests.storage.postgres_server import address

PROJECT = Project(path=Path("langgraph.json"), directory=Path(), graphs={}, import_paths=())


@pytest.fixture
def name() -> Iterator[str]:
    """That of a user who owns nothing, and of a schema that is not there."""
    name = f"u{uuid.uuid4().hex}"
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"create role {name} login")
        yield name
        connection.execute(f"drop role {name}")


def findings(folder: Path, schema: str, database: str, direct: str | None = None) -> list[Finding]:
    found = Diagnosis()
    settings = Settings(
        project=PROJECT, data_dir=folder, database=database, database_direct=direct, database_schema=schema
    )
    look_at_storage(found, settings)
    return [finding for finding in found.findings if finding.check == "database"]


def test_a_user_who_may_not_make_the_tables_is_a_problem(tmp_path: Path, name: str) -> None:
    (found,) = findings(tmp_path, name, make_conninfo(address(), user=name))
    assert (found.level, found.remedy) == ("problem", "run `runyard migrate` as a user who may")
    assert "this user may not create tables there" in found.message
    (found,) = findings(tmp_path, name, address())
    assert found.level == "ok"


def test_a_direct_address_that_leads_nowhere_is_a_problem(tmp_path: Path, name: str) -> None:
    used, direct = findings(tmp_path, name, address(), "host=/nowhere dbname=name")
    assert (used.level, direct.level) == ("ok", "problem")
    assert "RUNYARD_DATABASE_DIRECT: Postgres at /nowhere, database name: cannot be reached" in direct.message
