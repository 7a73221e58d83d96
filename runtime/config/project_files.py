"""The files of a project that people write, among those that its tools put beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SKIPPED = frozenset(("node_modules", "__pycache__", "site-packages", "dist-packages"))
"""Folders without code of the project; those whose names begin with a dot and virtual environments too."""


def files_below(folders: Iterable[Path], suffixes: tuple[str, ...], *, without: Path | None = None) -> Iterator[str]:
    """The files below the folders whose names end so; those in the folder `without` left out."""
    for folder in folders:
        for root, names, files in os.walk(folder):
            names[:] = [
                name for name in names if _holds_code(path := os.path.join(root, name)) and path != str(without)
            ]
            yield from (os.path.join(root, name) for name in files if name.endswith(suffixes))


def _holds_code(folder: str) -> bool:
    name = os.path.basename(folder)
    return not (name.startswith(".") or name in SKIPPED or os.path.exists(os.path.join(folder, "pyvenv.cfg")))
