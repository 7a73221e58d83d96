"""Temporary files of processes, kept in their server's folder: what one that was killed has left is found there."""

from __future__ import annotations

import multiprocessing.process
import os
import shutil
from collections.abc import Container
from pathlib import Path

LONGEST = 80
"""Bytes of a path in which there is room for the name of a socket, of which the system allows some hundred."""


def keep_temporaries(folder: Path, name: str) -> None:
    """Has multiprocessing put its temporary files into the folder, where `sweep_temporaries` removes what a
    process that was killed has left. Not where the path is too long for sockets."""
    path = _temporary(folder) / name
    if len(os.fsencode(path)) <= LONGEST:
        _temporary(folder).mkdir(exist_ok=True, mode=0o700)
        path.mkdir(exist_ok=True, mode=0o700)
        vars(multiprocessing.process.current_process())["_config"]["tempdir"] = str(path)


def remove_temporaries(folder: Path, name: str) -> None:
    """Removes what a process that has ended kept there."""
    shutil.rmtree(_temporary(folder) / name, ignore_errors=True)


def sweep_temporaries(folder: Path, alive: Container[str]) -> None:
    """Removes what all processes have left but the workers that are alive. For a server that has just started."""
    for left in _temporary(folder).glob("*"):
        if left.name not in alive:
            shutil.rmtree(left, ignore_errors=True)


def _temporary(folder: Path) -> Path:
    return folder / "tmp"
