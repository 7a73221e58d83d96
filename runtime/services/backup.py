"""Copies of a data directory, taken while a server uses it."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.backends import storage_in


def back_up(data_dir: Path, target: Path, progress: Callable[[int, int], None]) -> list[str]:
    """Copies all that is kept in a data directory into `target`, which is there at the end as a whole or not at all.

    `progress` is told how many pages of a file are copied, and how many there are. Returns the names of the files.
    Raises ConfigError when there is nothing to copy, when `target` holds something, or when the copy cannot be made.
    """
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target}: there is something already; name a directory that is empty, or not there yet")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir(mode=0o700)
        try:
            names = storage_in(data_dir).copy_to(partial, progress)
            os.rename(partial, target)
            _flush(target.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ConfigError(f"{target}: the backup cannot be made ({error.strerror or error})") from error
    return names


def _flush(folder: Path) -> None:
    """Makes what was done to the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
