"""Several servers on one Postgres: two for clients, three that execute runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import psycopg

from scripts.chaos_suite.clock import Clock
from scripts.chaos_suite.databases import PostgresDatabase
from scripts.chaos_suite.network import Network
from scripts.chaos_suite.target import Member, Target
from tests.private_postgres import PrivatePostgres

ROLES = {"api-1": "api", "api-2": "api", "worker-1": "worker", "worker-2": "worker", "worker-3": "worker"}
ROUTED = ("api-2", "worker-2", "worker-3")
"""Those that reach Postgres through a network that breaks."""
CONCURRENCY = 8
"""Runs at once in each worker: few, so that some have to wait."""
CONNECTIONS = 3
"""Of each process, for what its requests and runs ask of Postgres."""
MAX_CONNECTIONS = 120
"""Of all of them. Some are kept for the suite itself, which is an administrator."""
ADMIN, NOT_ADMIN = "user=runyard dbname=chaos", "user=app dbname=chaos"
SETTINGS = {
    "max_connections": str(MAX_CONNECTIONS),
    "synchronous_commit": "on",  # what was committed outlives a crash of the server
    "log_min_duration_statement": "3000",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %a ",
}


class Postgres(PrivatePostgres):
    """The database of the cluster."""

    def signal_all(self, number: int) -> None:
        """To each of its processes."""
        server = psutil.Process(self.pid)
        for process in [server, *server.children(recursive=True)]:
            try:
                process.send_signal(number)
            except psutil.Error:
                continue


class Cluster(Target):
    """All of it on this machine; each server has a data directory of its own, as on several."""

    def __init__(self, folder: Path, *, clocks: bool) -> None:
        """`clocks`: whether those of the servers are to jump."""
        super().__init__(folder)
        place = folder / "postgres"
        place.mkdir()
        folder.chmod(0o711)  # Postgres may run as another user
        self.postgres = Postgres(place, SETTINGS)
        self._host = f"host={place}"
        self._made = False
        self.network = Network()
        self.database = self._database = PostgresDatabase(self.admin_address)
        self.routes = [self.network.route(name, self.postgres.socket) for name in ROUTED]
        ways = {route.name: f"host=127.0.0.1 port={route.port} {NOT_ADMIN}" for route in self.routes}
        for name, role in ROLES.items():
            worker = role == "worker"
            member = Member(
                name,
                folder / name,
                Clock(folder / f"{name}.clock", wanted=clocks),
                args=("--role", role, *(("--workers", "1", "--concurrency", str(CONCURRENCY)) if worker else ())),
                env={
                    "CHAOS_MARKS": str(self.marks),
                    "RUNYARD_DATABASE": ways.get(name, self.address),
                    "RUNYARD_DATABASE_CONNECTIONS": str(CONNECTIONS),
                },
                workers=int(worker),
            )
            member.server.log = folder / f"{name}.log"
            self.members.append(member)

    @property
    def address(self) -> str:
        """The connection string of whoever is no administrator, past the network."""
        return f"{self._host} {NOT_ADMIN}"

    @property
    def admin_address(self) -> str:
        """That of the administrator, for whom connections are reserved."""
        return f"{self._host} {ADMIN}"

    @property
    def api(self) -> list[Member]:
        return [member for member in self.members if ROLES[member.name] == "api"]

    def connected(self) -> int:
        return min(len(self.worker_processes()), self._database.workers())

    def start(self, members: list[Member] | None = None) -> None:
        if members is None:
            self.postgres.start()
            if not self._made:
                self._make()
        super().start(members)

    def _make(self) -> None:
        with psycopg.connect(self.postgres.address, autocommit=True) as connection:
            connection.execute("create role app login")
            connection.execute("create database chaos owner app")
        self._made = True

    def recover(self) -> None:
        for member in self.members:
            member.server.kill_group()
        self.postgres.stop_at_once()
        self.start()

    def close(self) -> None:
        super().close()
        self.network.close()
        self.postgres.stop_at_once()

    def keep(self, folder: Path) -> None:
        super().keep(folder)
        shutil.copy(self.postgres.log, folder / "postgres.log")
        self._database.keep(folder / "tables")
