"""Locks that show that a process lives, with processes that share a descriptor and processes that share an id."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.background.process_lock import ProcessLock, is_free

LOCK_AND_FORK = """
import os, sys, time
from pathlib import Path
from runyard.runtime.background import forks
from runyard.runtime.background.process_lock import ProcessLock
lock = ProcessLock(Path(sys.argv[1]))
if sys.argv[2] == "past Python":  # as a library in C does it: nothing is called in the child
    forks._private.clear()
child = os.fork()
if child == 0:
    os.setsid()
    time.sleep(600)
print(child, flush=True)
time.sleep(600)
"""


@contextmanager
def forking_owner(path: Path, fork: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that has the lock, and the id of a child that it forked."""
    owner = subprocess.Popen([sys.executable, "-c", LOCK_AND_FORK, path, fork], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    try:
        yield owner, child
    finally:
        owner.kill()
        psutil.Process(child).kill()
        owner.wait()
        owner.stdout.close()


@pytest.mark.parametrize("fork", ["by Python", "past Python"])
def test_a_forked_child_does_not_keep_the_lock_of_its_dead_parent(tmp_path: Path, fork: str) -> None:
    path = tmp_path / "a.lock"
    with forking_owner(path, fork) as (owner, child):
        assert not is_free(path)
        with pytest.raises(BlockingIOError):
            ProcessLock(path)
        owner.kill()
        owner.wait()
        assert psutil.pid_exists(child)
        assert is_free(path)
        lock = ProcessLock(path)
        assert not is_free(path), "and it is held by its new owner alone"
        lock.close()


def test_a_look_at_a_lock_keeps_nobody_from_taking_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lock"
    path.touch()
    with path.open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        monkeypatch.setattr("time.sleep", lambda seconds: fcntl.flock(looker, fcntl.LOCK_UN))
        ProcessLock(path).close()


def test_a_lock_without_a_name_is_believed(tmp_path: Path) -> None:
    """As earlier versions left them."""
    path = tmp_path / "a.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not is_free(path)
    assert is_free(path)


def test_another_process_with_the_same_id_is_neither_the_owner_nor_killed() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        earlier = replace(identity, started="1")
        elsewhere = replace(identity, place="another boot")
        assert identity.state() == "running"
        assert earlier.state() == "ended"
        assert elsewhere.state() == "unknown"
        assert not earlier.kill()
        assert not elsewhere.kill()
        assert process.poll() is None
        assert identity.kill()
        process.wait()
        assert identity.state() == "ended"
        assert not identity.kill()


def test_a_process_that_has_only_left_its_exit_code_has_ended() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    identity = ProcessIdentity.of(os.getpid())
    assert identity is not None
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert ProcessIdentity.of(child) is None
    os.waitpid(child, 0)
    assert ProcessIdentity.parse(identity.dump()) == identity
    assert identity.own
