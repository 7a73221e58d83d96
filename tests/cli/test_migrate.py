"""`runyard migrate`: what it does to a database, and what it says."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from runyard.handlers.cli.main import main
from tests.storage.postgres_server import address

from .postgres_servers import PASSWORD, database, write_project

Migrate = Callable[..., Result]


@pytest.fixture
def migrate(tmp_path: Path) -> Migrate:
    project = write_project(tmp_path)

    def run(*options: str, **environment: str) -> Result:
        given = ["migrate", "--config", str(project), "--data", str(tmp_path / "data"), *options]
        return CliRunner(env={"DATABASE_URI": None, "RUNYARD_DATABASE": None, **environment}).invoke(main, given)

    return run


@pytest.fixture
def schema() -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    yield name
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"drop schema if exists {name} cascade")


def test_a_postgres_is_brought_up_to_date_once(migrate: Migrate, schema: str) -> None:
    given = {"RUNYARD_DATABASE": database(), "RUNYARD_DATABASE_SCHEMA": schema}
    missing = migrate("--check", **given)
    assert missing.exit_code == 1
    assert "lacks 0001_start" in missing.stderr
    done = migrate(**given)
    assert done.exit_code == 0, done.stderr
    assert "applied 0001_start" in done.stdout
    for options in ((), ("--check",)):
        again = migrate(*options, **given)
        assert (again.exit_code, "up to date" in again.stdout) == (0, True)
    assert PASSWORD not in missing.output + done.output


def test_a_data_directory_too(migrate: Migrate) -> None:
    assert migrate("--check").exit_code == 1
    assert "applied 0001" in migrate().stdout
    assert "up to date" in migrate("--check").stdout


def test_a_database_that_is_too_new_is_left_as_it_is(migrate: Migrate, schema: str) -> None:
    given = {"RUNYARD_DATABASE": database(), "RUNYARD_DATABASE_SCHEMA": schema}
    migrate(**given)
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"update {schema}.schema_version set version = 99, oldest_reader = 99")
    for options in ((), ("--check",)):
        refused = migrate(*options, **given)
        assert refused.exit_code == 1
        assert "Install a newer version of Runyard" in refused.stderr


def test_what_cannot_be_a_database_is_a_mistake_in_the_command(migrate: Migrate) -> None:
    assert migrate("--database", "mysql://host").exit_code == 2
