"""What components are made from, as far as it lies in the project."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runyard.runtime.config.project_files import files_below

SUFFIXES: Final = (
    *(".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"),
    *(".css", ".json", ".svg", ".html", ".txt", ".md", ".mdx"),
)
LOCKS: Final = ("yarn.lock", "pnpm-lock.yaml", "bun.lock", "node_modules/.package-lock.json")
"""Say which packages are installed, where no file with one of the suffixes does."""

Stamps = dict[str, tuple[int, int]]


def stamps(directory: Path, *, without: Path) -> Stamps:
    """Time and size of each source; `without` is a folder with none."""
    found: Stamps = {}
    for file in _sources(directory, without):
        try:
            state = os.stat(file)
        except OSError:
            continue
        found[file] = (state.st_mtime_ns, state.st_size)
    return found


def fingerprint(sources: Stamps, directory: Path, *more: str) -> str:
    """Names what is in the sources, and whatever else matters."""
    digest = hashlib.sha256("\0".join(more).encode())
    for file in sorted(sources):
        try:
            content = Path(file).read_bytes()
        except OSError:
            continue
        digest.update(os.path.relpath(file, directory).encode(errors="surrogateescape") + b"\0")
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _sources(directory: Path, without: Path) -> Iterator[str]:
    yield from files_below((directory,), SUFFIXES, without=without)
    yield from (str(directory / name) for name in LOCKS)
