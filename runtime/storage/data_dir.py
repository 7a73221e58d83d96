"""The data directory: who else uses it is found out by locks on files in it."""

from __future__ import annotations

import contextlib
import multiprocessing.process
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.private_files import make_private_folder
from runyard.runtime.storage.process_identity import ProcessIdentity
from runyard.runtime.storage.process_lock import ProcessLock, is_free, owner_of

LONGEST_TEMPORARY = 80
"""Bytes of a path in which there is room for the name of a socket, of which the system allows some hundred."""


def lock_data_dir(settings: Settings) -> ProcessLock:
    """Makes the data directory and takes it for this server. Raises ConfigError when another one has it."""
    try:
        make_private_folder(settings.data_dir)
        _workers(settings).mkdir(exist_ok=True, mode=0o700)
        return ProcessLock(settings.data_dir / "server.lock")
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


def sweep_data_dir(settings: Settings) -> None:
    """Removes what servers that were killed have left, and ends workers of theirs that are stopped: those would hold
    what they hold until somebody continues them. For a server that has just taken the data directory."""
    for name, owner in worker_locks(settings):
        if owner is not None and owner.state() == "stopped":
            owner.kill()
        is_dead(settings, name)
    for left in _temporary(settings).glob("*"):
        if is_dead(settings, left.name):
            shutil.rmtree(left, ignore_errors=True)


def is_used(settings: Settings) -> bool:
    """Whether a server uses the data directory. Changes nothing."""
    return not is_free(settings.data_dir / "server.lock")


def lock_worker(settings: Settings, name: str) -> ProcessLock:
    """Shows that the worker of that name lives, until its process ends."""
    return ProcessLock(_workers(settings) / name)


def is_dead(settings: Settings, name: str) -> bool:
    """Whether the worker's process has surely ended; its lock file is removed then."""
    path = _workers(settings) / name
    if not is_free(path):
        return False
    path.unlink(missing_ok=True)
    return True


def worker_locks(settings: Settings) -> Iterator[tuple[str, ProcessIdentity | None]]:
    """The names of workers that live, or have left their lock file, and their processes where those are known."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(_workers(settings)):
            if not name.endswith(".lock"):
                yield name, owner_of(_workers(settings) / name)


def keep_temporaries(settings: Settings, name: str) -> None:
    """Has multiprocessing put its temporary files into the data directory, where `sweep_data_dir` removes what a
    process that was killed has left. Not where the path is too long for sockets."""
    path = _temporary(settings) / name
    if len(os.fsencode(path)) <= LONGEST_TEMPORARY:
        _temporary(settings).mkdir(exist_ok=True, mode=0o700)
        path.mkdir(exist_ok=True, mode=0o700)
        vars(multiprocessing.process.current_process())["_config"]["tempdir"] = str(path)


def remove_temporaries(settings: Settings, name: str) -> None:
    """Removes what a process that has ended kept there."""
    shutil.rmtree(_temporary(settings) / name, ignore_errors=True)


def _workers(settings: Settings) -> Path:
    return settings.data_dir / "workers"


def _temporary(settings: Settings) -> Path:
    return settings.data_dir / "tmp"
