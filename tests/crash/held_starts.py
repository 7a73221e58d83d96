"""Keeps new workers from being ready, so that a test says for how long nobody takes what a dead one gave back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HeldStarts:
    """Of the servers of tests/crash/project that have its environment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.env = {"HELD_STARTS": str(path)}

    @contextmanager
    def held(self) -> Iterator[None]:
        """No worker that starts in the block is ready before its end."""
        self._path.touch()
        try:
            yield
        finally:
            self._path.unlink()
