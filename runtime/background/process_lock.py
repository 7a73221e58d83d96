"""Locks that show that a process lives.

The kernel lets go of one when its process ends, whatever ends that. But processes that user code forks share their
parent's locks: so each file names its owner too, and an owner that has ended holds nothing, whoever still has its file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from runyard.runtime.background.forks import forget_descriptor, keep_from_children
from runyard.runtime.background.process_identity import ProcessIdentity

LOOKS, LOOK = 10, 0.01
"""How often a lock that somebody has is tried again, and seconds before each try: they may only be looking at it."""


class ProcessLock:
    """A lock of this process on a file. Raises BlockingIOError when another process that lives has it, OSError for a
    file that cannot be opened."""

    def __init__(self, path: Path) -> None:
        # Nobody reads the owner of a file whose lock has a new one that has not yet written its name.
        with alone(path.with_name("taking.lock")):
            if read_owner(path) == "ended":
                path.unlink(missing_ok=True)  # a child of the owner may still hold it
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _lock(file)
                os.ftruncate(file, 0)
                identity = ProcessIdentity.of(os.getpid())
                if identity is not None:
                    with contextlib.suppress(OSError):  # a full disk: the lock itself says enough
                        os.write(file, identity.dump().encode())
            except BaseException:
                os.close(file)
                raise
        self._file = file
        keep_from_children(file)

    def close(self) -> None:
        """Lets go of the lock."""
        forget_descriptor(self._file)
        os.close(self._file)


def _lock(file: int) -> None:
    """Takes the lock, also from those who only look: they have it for a moment. Raises BlockingIOError."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK)
        else:
            return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def owner_of(path: Path) -> ProcessIdentity | None:
    """The process that the file names as its owner; None when there is no file, or it names none."""
    try:
        return ProcessIdentity.parse(path.read_text())
    except (OSError, ValueError):
        return None


def read_owner(path: Path) -> str:
    """What the owner that the file names does; `unknown` when it names none."""
    owner = owner_of(path)
    return "unknown" if owner is None else owner.state()


def is_free(path: Path) -> bool:
    """Whether no process that lives has the lock. Changes nothing."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return read_owner(path) == "ended"
    finally:
        os.close(file)
    return True


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other process is inside; for short work at the start."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        keep_from_children(file)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        forget_descriptor(file)
        os.close(file)
