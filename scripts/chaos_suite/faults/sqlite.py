"""Faults of the one file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3

from scripts.chaos_suite.faults.fault import Fault, Faults, Scene
from scripts.chaos_suite.single import SingleServer


def lock_database(scene: Scene) -> str:
    """Another process's transaction (BEGIN IMMEDIATE or EXCLUSIVE) holds the database, up to three leases long."""
    how = scene.rng.choice(["immediate", "exclusive"])
    with contextlib.closing(sqlite3.connect(_single(scene).file, timeout=20)) as outside:
        outside.isolation_level = None
        try:
            outside.execute(f"begin {how}")
        except sqlite3.OperationalError as error:
            return f"not to be had: {error}"
        seconds = scene.while_(3)
        outside.execute("rollback")
    return f"{how} for {seconds:.1f} s"


def lock_file(scene: Scene) -> str:
    """The advisory lock beside the database is held, up to three leases long."""
    file = os.open(_single(scene).file.with_name("runyard.db.lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        seconds = scene.while_(3)
    finally:
        os.close(file)
    return f"for {seconds:.1f} s"


def reader(scene: Scene) -> str:
    """An outside reader holds a snapshot while the write-ahead log grows."""
    file = _single(scene).file
    with contextlib.closing(sqlite3.connect(file, timeout=20)) as outside:
        outside.isolation_level = None
        outside.execute("begin")
        outside.execute("select count(*) from sqlite_schema").fetchone()
        seconds = scene.while_(5, 2)
        log = file.with_name("runyard.db-wal").stat().st_size
    return f"for {seconds:.1f} s; the log was {log / 1e6:.1f} MB then"


def full_disk(scene: Scene) -> str:
    """Not a byte is free on the file system of the data, up to three leases long."""
    disk = _single(scene).disk
    disk.fill()
    try:
        seconds = scene.while_(3)
    finally:
        disk.free()
    return f"for {seconds:.1f} s"


def _single(scene: Scene) -> SingleServer:
    assert isinstance(scene.target, SingleServer)
    return scene.target


FAULTS: Faults = {
    "lock-database": Fault(strike=lock_database, weight=1, holds=True),
    "lock-file": Fault(strike=lock_file, weight=1, holds=True),
    "reader": Fault(strike=reader, weight=1, holds=True),
    "full-disk": Fault(
        strike=full_disk,
        weight=1,
        holds=True,
        missing=lambda scene: None if _single(scene).disk.own else "mounting a small file system is not permitted",
    ),
}
