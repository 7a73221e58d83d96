"""What lies in the data directory is what users sent: only the server's own user may read it, whatever the umask."""

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

KNOWN = ("runyard.db", "store.db", "store.lock", "server.lock", "bus", "inner", "workers", "taking.lock", "tmp", "ui")
"""How the names of our own files begin."""


def make_private_folder(folder: Path) -> None:
    """Makes the folder, or takes the access of others to it away, and to our own files in it.

    A folder that somebody else owns, or that holds other files than our own, keeps its permissions: it may be meant for
    others too. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = os.listdir(folder)
    ours = [folder / name for name in names if name.startswith(KNOWN)]
    for path in ours:
        _take_access_away(path)
        if path.is_dir() and not path.is_symlink():
            for below in path.iterdir():
                _take_access_away(below)
    if len(ours) == len(names):
        _take_access_away(folder)
    if folder.stat().st_mode & 0o077:
        logger.warning("%s is not the server's alone, so others may still see the names of the files in it", folder)


def make_private(file: Path) -> None:
    """Makes the file, empty, or takes the access of others to it away. Raises OSError."""
    try:
        # Never opened when it is there: a process that closes a file of SQLite's gives up its locks on it.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        _take_access_away(file)


def _take_access_away(path: Path) -> None:
    """Does nothing to what another user owns, and to symbolic links, whose targets may be meant for others."""
    found = path.lstat()
    if found.st_uid == os.geteuid() and not path.is_symlink() and found.st_mode & 0o077:
        path.chmod(found.st_mode & 0o700)
