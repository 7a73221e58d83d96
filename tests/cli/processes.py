"""`runyard` as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

RUNYARD = str(Path(sys.executable).parent / "runyard")


class Run(Protocol):
    """Runs `runyard` with arguments to its end."""

    def __call__(
        self, *arguments: str | Path, stdin: bytes = b"", url: str = ""
    ) -> subprocess.CompletedProcess[bytes]: ...


class Start(Protocol):
    """Starts `runyard` with arguments, in a process group of its own."""

    def __call__(self, *arguments: str | Path, url: str = "", **variables: str) -> subprocess.Popen[bytes]: ...


def environment(url: str, **variables: str) -> dict[str, str]:
    """The environment for `runyard`: a plain one, whatever the tester's is. Empty variables are left out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    given = {"RUNYARD_URL": url, "RUNYARD_CHECK_ANSWERS": "1", **variables}
    return {**kept, "COLUMNS": "200", **{name: value for name, value in given.items() if value}}
