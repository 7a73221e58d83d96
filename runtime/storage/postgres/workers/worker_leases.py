"""Which workers live: those whose leases their heartbeats renew, wherever they are.

A lease runs out by the database's clock, and in the sight of whoever takes runs back: a process counts a worker as dead
only when it has itself looked on, without a gap, while nothing was renewed. So a database that was away or locked for
longer than a lease, a process that was stopped, and a clock that was set make nobody dead: the living get the time to
say so first. No clock is compared with another's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.workers import Machine
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries

logger = logging.getLogger(__name__)

LONGEST_GAP = 2.0
"""Seconds between looks that count as one watch, unless a third of the lease is longer."""
SLACK = 1.0
"""Seconds between looks: so much may have passed before a renewal was seen."""


@dataclass(slots=True)
class Watch:
    """What one process saw of leases, by its own monotonic clock."""

    looked: float = -float("inf")
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    """The latest renewal of each, and when it was first seen."""

    def silent(self, leases: Iterable[tuple[str, int, float]], now: float) -> set[str]:
        """Those of (worker, renewed, seconds of the lease) that were not renewed for as long as this watches."""
        passed, before = now - self.looked, self.seen
        self.looked, self.seen = now, {}
        silent = set()
        for worker, renewed, seconds in leases:
            since = now
            if worker in before and before[worker][0] == renewed and passed <= max(LONGEST_GAP, seconds / 3):
                since = before[worker][1]
            self.seen[worker] = renewed, since
            if now - since >= max(seconds - SLACK, seconds / 2):
                silent.add(worker)
        return silent


class WorkerLeases:
    """Those of the workers of this process, and a look at all others'."""

    def __init__(self, database: Database, queries: Queries, seconds: float) -> None:
        self.seconds = seconds
        self.encrypted: bool | None = None
        """Whether this process encrypts what it writes; None: it has not begun."""
        self._database = database
        self._sql = queries
        self._host = socket.gethostname()
        self._servers: dict[str, str] = {}
        self._renewed: dict[str, float] = {}
        self._lapsed: dict[str, float] = {}
        self._watch = Watch()
        self._name = f"server-{uuid.uuid4().hex[:12]}"  # a process id may be that of an earlier one
        self._said_to_live = False

    def register(self, worker: str, server: int | None) -> None:
        """Raises Unavailable. `server`: the process id of its server; None: this process is that, too."""
        self._servers[worker] = self._server(server)
        self._database.write_blocking(lambda connection: self._renew(connection, worker, "worker"), pool="lease")

    async def renew(self, worker: str) -> bool:
        """Whether the lease had not run out. In a transaction of its own: what is locked elsewhere keeps nobody from
        saying that it lives."""
        asked = seconds_since_boot()
        await self._database.write(lambda connection: self._renew(connection, worker, "worker"), pool="lease")
        self._holds_since(asked)
        ends = self.ends(worker)
        if ends is not None and seconds_since_boot() >= ends:
            self._lapsed[worker] = asked
            return False
        self._renewed[worker] = asked
        return True

    def seen(self, worker: str) -> None:
        """Since it was last renewed, the worker has seen which runs it still has."""
        if (asked := self._lapsed.pop(worker, None)) is not None:
            self._renewed[worker] = asked

    def ends(self, worker: str) -> float | None:
        """When the lease of a worker of this process runs out, by `seconds_since_boot`; None: it was never renewed. Of
        one that had run out when it was renewed, when it did, until the worker has `seen` its runs: somebody may have
        taken them."""
        renewed = self._renewed.get(worker)
        return None if renewed is None else renewed + self.seconds

    async def end(self, worker: str) -> bool:
        """Whether there was one."""
        return await self._database.write(lambda connection: self._end(connection, worker), pool="lease")

    def unregister(self, worker: str) -> None:
        """Raises Unavailable."""
        self._database.write_blocking(lambda connection: self._end(connection, worker), pool="lease")
        self._servers.pop(worker, None)
        self._renewed.pop(worker, None)
        self._lapsed.pop(worker, None)

    async def alive(self) -> set[str]:
        """The registered workers that may live, and servers that make webhook calls. Says as well that this server
        process does: only while that gets through does the silence of others mean anything."""

        def look(connection: Connection) -> list[tuple[str, int, int, bool]]:
            self.serve(connection)
            connection.execute(self._sql["forget_leases"])
            return connection.execute(self._sql["leases"]).fetchall()

        asked = seconds_since_boot()
        rows = await self._database.write(look, pool="lease")
        self._holds_since(asked)
        expired = {worker for worker, _, _, over in rows if over}
        leases = [(worker, renewed, micros / 1e6) for worker, renewed, micros, _ in rows]
        silent = self._watch.silent(leases, time.monotonic())
        return {worker for worker, _, _ in leases} - (expired & silent)

    def serve(self, connection: Connection) -> None:
        """Gives this server process a lease."""
        self._renew(connection, self._name, "server")
        self._said_to_live = True

    async def server(self) -> str:
        """Under which name this server process has a lease."""
        if not self._said_to_live:
            await self._database.write(lambda connection: self._renew(connection, self._name, "server"), pool="lease")
            self._said_to_live = True
        return self._name

    def close(self) -> None:
        """This process ends, with its workers: nobody need wait for their leases to run out."""
        ended = [*self._servers, *([self._name] if self._said_to_live else [])]
        if ended:
            with contextlib.suppress(Unavailable):
                self._database.write_blocking(
                    lambda connection: [self._end(connection, worker) for worker in ended], pool="lease"
                )

    async def machines(self) -> list[Machine]:
        """By host."""
        rows = await self._database.read(lambda connection: connection.execute(self._sql["places"]).fetchall())
        workers: Counter[str] = Counter(host for host, _, role in rows if role == "worker")
        servers = {(host, server) for host, server, _ in rows}
        return [
            Machine(host, sum(one == host for one, _ in servers), workers[host])
            for host in sorted({h for h, _ in servers})
        ]

    def _renew(self, connection: Connection, worker: str, role: str) -> None:
        server = self._servers.get(worker) or self._server(None)
        given = {
            "worker": worker,
            "server": server,
            "host": self._host,
            "role": role,
            "lease": int(self.seconds * 1e6),
            "encrypted": self.encrypted,
        }
        (encrypted,) = one(connection, self._sql["renew"], given)
        if encrypted and self.encrypted is False:
            self._database.plain_fence.refuse()  # its lease had run out, so nobody could know of it

    def begin(self, *, encrypted: bool, asked: float | None) -> None:
        """What this process writes from now on. `asked`: when the lease was asked for that it has; None: it has none of
        which others know what is written, as workers have none before their first heartbeat."""
        self.encrypted = encrypted
        if asked is not None or self._servers:
            self._holds_since(-float("inf") if asked is None else asked)

    def _holds_since(self, asked: float) -> None:
        if self.encrypted is False:
            self._database.plain_fence.plain(asked + self.seconds)

    def _end(self, connection: Connection, worker: str) -> bool:
        return bool(connection.execute(self._sql["unregister"], (worker,)).rowcount)

    def _server(self, pid: int | None) -> str:
        return f"{self._host}:{os.getpid() if pid is None else pid}"
