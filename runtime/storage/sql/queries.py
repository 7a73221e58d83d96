"""Reads files of named SQL statements: `-- name: claim`, then the statement up to the next name.

`sql/<noun>.sql` has those that are the same on every backend, with parameters as SQLite has them (`?` or `:name`);
`<backend>/sql/<noun>.sql` those that a backend has of its own, or says in its own way.
"""

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable

Queries = Mapping[str, str]
"""Statements by name."""

_PARAMETER = re.compile(r"\?|:(\w+)")
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(backend: str) -> Queries:
    """The statements of a backend. Raises ValueError when two have one name."""
    storage = resources.files("runyard.runtime.storage")
    shared = _texts(storage.joinpath("sql"))
    if backend == "postgres":
        shared = map(with_percent_signs, shared)
    return parse_queries([*shared, *_texts(storage.joinpath(backend, "sql"))])


def _texts(folder: Traversable) -> Iterable[str]:
    return (file.read_text() for file in folder.iterdir() if file.name.endswith(".sql"))


def with_percent_signs(sql: str) -> str:
    """The SQL with parameters as Postgres' driver has them: `%s` or `%(name)s`. Neither `?` nor `:` may stand in it for
    anything else."""
    return _PARAMETER.sub(lambda found: f"%({found[1]})s" if found[1] else "%s", sql.replace("%", "%%"))


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
