"""`runyard doctor` on what the machine has for a server: its port, its data directory, its database."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.live_server import StartServer

from .diagnosed import diagnose, of, write_project
from .processes import Run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def test_a_port_that_is_taken(runyard: Run, project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, findings = diagnose(runyard, "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "--port" in of(findings, "port")["message"]


@pytest.mark.full
def test_a_data_directory_that_is_in_use(runyard: Run, start_server: StartServer, project: Path) -> None:
    server = start_server(config=project / "langgraph.json", args=("--workers", "1"))
    code, findings = diagnose(runyard, "--data", server.data)
    assert code == 1
    assert "used by another" in of(findings, "data")["message"]
    server.stop()
    code, findings = diagnose(runyard, "--data", server.data)
    assert (code, of(findings, "data")["level"]) == (0, "ok")
    assert server.start().get("/ok")["ok"] is True


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_directory_that_cannot_be_written(runyard: Run, project: Path) -> None:
    (project / "data").mkdir(mode=0o500)
    code, findings = diagnose(runyard, "--data", "data")
    assert code == 1
    assert "written" in of(findings, "data")["message"]


def test_a_data_directory_that_cannot_be_made(runyard: Run, project: Path) -> None:
    code, findings = diagnose(runyard, "--data", "graphs.py/data")
    assert code == 1
    assert "cannot be made" in of(findings, "data")["message"]


@pytest.mark.parametrize(
    ("statement", "level", "said"),
    [
        ("insert into _sqlite_migrations values ('runyard', '9999_later', '')", "note", "9999_later"),
        ("update schema_version set version = 9999, oldest_reader = 9998", "problem", "version 9998"),
        ("delete from _sqlite_migrations where name = '0002_threads'", "note", "0002_threads"),
        ("drop table _sqlite_migrations", "problem", "no database of Runyard's"),
    ],
)
def test_the_schema_of_the_database(runyard: Run, project: Path, statement: str, level: str, said: str) -> None:
    data = project / "data"
    data.mkdir()
    with sqlite3.connect(data / "runyard.db") as database:
        database.execute("create table _sqlite_migrations (migration_set text, name text, applied_at text)")
        database.execute("create table schema_version (version integer, oldest_reader integer)")
        database.execute("insert into schema_version values (7, 7)")
        names = ["0001_start", "0002_threads"]
        database.executemany("insert into _sqlite_migrations values ('runyard', ?, '')", [(name,) for name in names])
        database.execute(statement)
    database.close()

    _, findings = diagnose(runyard, "--data", "data")

    found = of(findings, "data")
    assert found["level"] == level
    assert said in found["message"]
