"""Faults of a database that others use too, and of the network before it."""

from __future__ import annotations

import contextlib
import signal
import time

import psycopg

from scripts.chaos_suite.cluster import Cluster
from scripts.chaos_suite.faults.fault import Fault, Faults, Scene
from scripts.chaos_suite.timing import LEASE_SECONDS

_LOCK_SECONDS = 5
_MOST_CONNECTIONS = 500


def crash_database(scene: Scene) -> str:
    """Postgres stops at once (`pg_ctl -m immediate`) and starts again, at once or up to two leases later."""
    postgres = _cluster(scene).postgres
    postgres.stop_at_once()
    seconds = scene.rng.choice([0.0, 0.0, 1.0, 2.0 * LEASE_SECONDS])
    time.sleep(seconds)
    postgres.start()
    return f"{seconds:.1f} s later it was started again"


def freeze_database(scene: Scene) -> str:
    """SIGSTOP to all of Postgres, for up to two leases, then SIGCONT."""
    postgres = _cluster(scene).postgres
    postgres.signal_all(signal.SIGSTOP)
    try:
        seconds = scene.while_(2, 0.3)
    finally:
        postgres.signal_all(signal.SIGCONT)
    return f"for {seconds:.1f} s"


def end_sessions(scene: Scene) -> str:
    """An administrator ends sessions (`pg_terminate_backend`): every second one, or all."""
    share = scene.rng.choice(["pid % 2 = 0", "true"])
    with _outsider(scene) as outsider:
        ended = outsider.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            f" where backend_type = 'client backend' and pid <> pg_backend_pid() and {share}".encode()
        ).fetchall()
    return f"{len(ended)} sessions"


def cut(scene: Scene) -> str:
    """The network between a server and Postgres cuts all connections, and lets none through for up to two leases."""
    route = scene.rng.choice(_cluster(scene).routes)
    route.cut()
    seconds = 0.0
    if scene.rng.random() < 0.7:
        route.refuse()
        seconds = scene.while_(2, 0.3)
        route.open()
    return f"that of {route.name}, for {seconds:.1f} s"


def swallow(scene: Scene) -> str:
    """The network between a server and Postgres swallows all that is sent; its connections stay half-open for ever."""
    route = scene.rng.choice(_cluster(scene).routes)
    route.swallow()
    seconds = scene.while_(2, 0.3)
    route.open()
    return f"that of {route.name}, for {seconds:.1f} s"


def take_connections(scene: Scene) -> str:
    """An outsider takes all connections that Postgres has left, for up to two leases."""
    taken: list[psycopg.Connection] = []
    try:
        with contextlib.suppress(psycopg.OperationalError):
            while len(taken) < _MOST_CONNECTIONS:
                taken.append(psycopg.connect(_cluster(scene).address))
        seconds = scene.while_(2)
    finally:
        for connection in taken:
            connection.close()
    return f"{len(taken)} for {seconds:.1f} s"


def long_transaction(scene: Scene) -> str:
    """An outsider's transaction keeps a snapshot for up to five leases."""
    with _outsider(scene) as outsider:
        outsider.execute("begin isolation level repeatable read")
        outsider.execute("select count(*) from runs")
        seconds = scene.while_(5, 2)
    return f"for {seconds:.1f} s"


def lock_rows(scene: Scene) -> str:
    """An outsider locks rows of runs and threads (`for update`), up to two leases long."""
    with _outsider(scene) as outsider:
        outsider.execute("begin")
        try:
            rows = outsider.execute(
                "select thread_id from runs where queue is not null or random() < 0.05 limit 40 for update"
            ).fetchall()
            threads = [row[0] for row in rows[:10]]
            outsider.execute("select 1 from threads where thread_id = any(%s) for update", (threads,))
        except psycopg.errors.LockNotAvailable:
            return "they were not to be had"
        seconds = scene.while_(2)
    return f"{len(rows)} runs for {seconds:.1f} s"


def lock_table(scene: Scene) -> str:
    """An outsider locks a table (`lock table ... in share mode`), up to two leases long."""
    table = scene.rng.choice(["runs", "threads", "checkpoints", "worker_leases", "thread_events"])
    mode = scene.rng.choice(["share", "share", "access exclusive"])
    with _outsider(scene) as outsider:
        outsider.execute("begin")
        try:
            outsider.execute(f"lock table {table} in {mode} mode".encode())
        except psycopg.errors.LockNotAvailable:
            return f"{table} was not to be had"
        seconds = scene.while_(2)
    return f"{table} in {mode} mode for {seconds:.1f} s"


def _outsider(scene: Scene) -> psycopg.Connection:
    end = time.monotonic() + 20
    while True:
        try:
            return psycopg.connect(
                _cluster(scene).admin_address,
                autocommit=True,
                application_name="outsider",
                options=f"-c lock_timeout={_LOCK_SECONDS * 1000}",
            )
        except psycopg.OperationalError:  # the servers have all of its connections
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _cluster(scene: Scene) -> Cluster:
    assert isinstance(scene.target, Cluster)
    return scene.target


FAULTS: Faults = {
    "crash-database": Fault(strike=crash_database, weight=4, holds=True),
    "freeze-database": Fault(strike=freeze_database, weight=1, holds=True),
    "end-sessions": Fault(strike=end_sessions, weight=1, holds=True),
    "cut": Fault(strike=cut, weight=3, holds=True),
    "swallow": Fault(strike=swallow, weight=3, holds=True),
    "connections": Fault(strike=take_connections, weight=2, holds=True),
    "transaction": Fault(strike=long_transaction, weight=1),
    "lock-rows": Fault(strike=lock_rows, weight=2, holds=True),
    "lock-table": Fault(strike=lock_table, weight=2, holds=True),
}
