"""What the database says, read from outside, on either backend."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import psycopg

from scripts.chaos_suite.stories import Finding

Row = tuple[Any, ...]

_ACTIVE = "select run_id, thread_id, status from runs where status in ('pending', 'running')"
_COMING = "select count(*) from crons where enabled and next_due is not null"
_STUCK = (
    "select thread_id from threads where status = 'busy' and thread_id not in"
    " (select thread_id from runs where status in ('pending', 'running'))"
)
_ORPHANS = (
    "select thread_id, count(*) from checkpoints where thread_id not in (select thread_id from threads) group by 1"
)
_CONNECT_SECONDS = 30.0


class Database(ABC):
    """What was found in it once is not told again."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    @abstractmethod
    def read(self, query: str) -> list[Row]:
        """The rows of a query that both backends understand."""

    @abstractmethod
    def own_check(self) -> list[str]:
        """What the database says that is wrong with itself."""

    def active(self) -> list[Row]:
        """(run id, thread id, status) of the runs that are not at their end."""
        return [row for row in self.read(_ACTIVE) if row[0] not in self._told]

    def quiet(self) -> bool:
        """Whether no run is left, and no cron will make another one."""
        return not self.read(_COMING)[0][0] and not self.active()

    def made(self, cron_id: str) -> list[tuple[int, str | None]]:
        """The moments of a cron, in seconds of the time of day, and the runs that were made, in order."""
        rows = self.read(f"select due, run_id from cron_firings where cron_id = '{cron_id}' order by due")
        return [(round(due / 1e6), run_id) for due, run_id in rows]

    def deliveries(self) -> int:
        """How many webhooks are still to be sent."""
        return int(self.read("select count(*) from deliveries")[0][0])

    def findings(self, known: set[str]) -> list[Finding]:
        """To be called when it is quiet. `known`: the runs whose stories are told, and judged by them."""
        findings = []
        for run_id, thread_id, status in self.active():
            self._told.add(run_id)
            if run_id not in known:
                text = f"a run whose acceptance nobody was told is still {status} long after everything was quiet"
                findings.append(Finding(kind="lost", text=text, run_id=run_id, thread_id=thread_id))
        for (thread_id,) in self._new(_STUCK):
            text = "busy in the database, though no run of it is pending or running"
            findings.append(Finding(kind="stuck", text=text, thread_id=thread_id))
        for thread_id, count in self._new(_ORPHANS):
            text = f"{count} checkpoints of a thread that is not there"
            findings.append(Finding(kind="database", text=text, thread_id=thread_id))
        findings += [Finding(kind="database", text=text) for text in self.own_check()]
        return findings

    def _new(self, query: str) -> list[Row]:
        """The rows whose first value was not told yet."""
        rows = [row for row in self.read(query) if row[0] not in self._told]
        self._told.update(row[0] for row in rows)
        return rows


class SqliteDatabase(Database):
    """A file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def read(self, query: str) -> list[Row]:
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def own_check(self) -> list[str]:
        return [f"quick_check: {said}" for (said,) in self.read("pragma quick_check(5)") if said != "ok"]


class PostgresDatabase(Database):
    """A server, which may have no connection to spare for a while."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def read(self, query: str) -> list[Row]:
        end = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                with psycopg.connect(self._address, autocommit=True) as connection:
                    return connection.execute(query.encode()).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def own_check(self) -> list[str]:
        """Sessions that hold a transaction open though everything is quiet."""
        idle = (
            "select pid, application_name, now() - xact_start, query from pg_stat_activity where state like 'idle in%'"
        )
        return [
            f"session {pid} of {name} has been idle in a transaction for {age}, since: {query}"
            for pid, name, age, query in self.read(f"{idle} and now() - xact_start > interval '5 seconds'")
        ]

    def keep(self, folder: Path) -> None:
        """Writes the tables there, as CSV."""
        folder.mkdir(exist_ok=True)
        for (name,) in self.read("select tablename from pg_tables where schemaname = 'public'"):
            query = f"copy {name} to stdout with (format csv, header)".encode()
            with (
                psycopg.connect(self._address) as connection,
                connection.cursor().copy(query) as rows,
                (folder / f"{name}.csv").open("wb") as file,
            ):
                file.writelines(rows)

    def workers(self) -> int:
        """How many workers have renewed their leases in the last seconds."""
        fresh = "select count(*) from worker_leases where renewed_at > clock_micros() - 3000000"
        return int(self.read(fresh)[0][0])
