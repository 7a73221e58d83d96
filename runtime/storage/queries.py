"""Reads a file of named SQL statements: `-- name: claim`, then the statement up to the next name."""

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(backend: str) -> dict[str, str]:
    """The statements of `storage/<backend>/sql/*.sql` by name, without comments and the final semicolon."""
    folder = resources.files(f"runyard.runtime.storage.{backend}").joinpath("sql")
    text = "".join(file.read_text() for file in folder.iterdir())
    parts = _NAME.split(text)[1:]
    return {
        name: "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip().rstrip(";")
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
