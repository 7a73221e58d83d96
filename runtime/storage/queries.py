"""Reads files of named SQL statements: `-- name: claim`, then the statement up to the next name."""

import re
from collections.abc import Iterable, Mapping
from importlib import resources

Queries = Mapping[str, str]
"""Statements by name."""

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(backend: str) -> Queries:
    """The statements of `storage/<backend>/sql/*.sql`. Raises ValueError when two have one name."""
    folder = resources.files(f"runyard.runtime.storage.{backend}").joinpath("sql")
    return parse_queries(file.read_text() for file in folder.iterdir())


def parse_queries(files: Iterable[str]) -> Queries:
    """The statements of all the files, without comments and the final semicolon. Raises ValueError when two have
    one name."""
    queries: dict[str, str] = {}
    for text in files:
        parts = _NAME.split(text)[1:]
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            if name in queries:
                raise ValueError(f"two SQL statements are named {name}")
            lines = (line for line in body.splitlines() if not line.startswith("--"))
            queries[name] = "\n".join(lines).strip().rstrip(";")
    return queries
