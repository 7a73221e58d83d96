"""The data directory: who else uses it is found out by locks on files in it.

A lock ends with its process, whatever ends that, so a lock that can be taken shows that its owner is dead.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.private_files import make_private_folder


def lock_data_dir(settings: Settings) -> int:
    """Makes the data directory and takes it for this server. Raises ConfigError when another one has it."""
    try:
        make_private_folder(settings.data_dir)
        (settings.data_dir / "workers").mkdir(exist_ok=True, mode=0o700)
        return _lock(settings.data_dir / "server.lock")
    except BlockingIOError:
        raise ConfigError(
            f"{settings.data_dir}: another Runyard server is using this data directory; "
            "stop it, or choose another one with --data"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{settings.data_dir}: cannot be used as the data directory ({error.strerror or error}); "
            "choose another one with --data"
        ) from error


def is_used(settings: Settings) -> bool:
    """Whether a server uses the data directory. Changes nothing."""
    try:
        file = os.open(settings.data_dir / "server.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def lock_worker(settings: Settings, name: str) -> int:
    """Shows that the worker of that name lives, until its process ends."""
    return _lock(settings.data_dir / "workers" / name)


def is_dead(settings: Settings, name: str) -> bool:
    """Whether the worker's process has surely ended; its lock file is removed then."""
    path = settings.data_dir / "workers" / name
    if not path.exists():
        return True
    try:
        os.close(_lock(path))
    except BlockingIOError:
        return False
    path.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other process is inside; for short work at the start."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _lock(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(file)
        raise
    return file
