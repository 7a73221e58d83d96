"""The one server that a database file can have."""

from __future__ import annotations

from pathlib import Path

from runyard.runtime.background.process_lock import ProcessLock, is_free
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.private_files import make_private_folder

NAME = "server.lock"


def take_for_server(data_dir: Path) -> ProcessLock:
    """Makes the data directory and takes it for this server. Raises ConfigError when another one has it."""
    try:
        make_private_folder(data_dir)
        return ProcessLock(data_dir / NAME)
    except BlockingIOError:
        raise ConfigError(
            f"{data_dir}: another Runyard server is using this data directory; "
            "stop it, or choose another one with --data"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{data_dir}: cannot be used as the data directory ({error.strerror or error}); "
            "choose another one with --data"
        ) from error


def has_server(data_dir: Path) -> bool:
    """Whether a server uses the data directory. Changes nothing."""
    return not is_free(data_dir / NAME)
