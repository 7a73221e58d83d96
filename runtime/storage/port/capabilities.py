"""What a backend says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Is told how many parts of a copy are made, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What not every backend can do; all else, each can.

    several_servers: more than one server may use the database at once.
    copies: `Storage.copy_to` makes copies; else the database's own tools have to.
    semantic_search: the store can find items by what they mean; else `store.index` cannot be used.
    most_dims: numbers that one of its vectors may have.
    """

    several_servers: bool
    copies: bool
    semantic_search: bool
    most_dims: int


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Names of migrations: those that a database has, those that it lacks, those that only a newer version knows.
    `refusal` says why this version cannot use the database, if that is so. `encrypted`: what it holds can be read only
    with the project's own encryption. `unfinished`: an import into it was begun, and is not finished; then that is the
    refusal. `server`: the version of the database's own server; None: it has none. `extensible`: what is missing can be
    added by who asks."""

    applied: list[str]
    missing: list[str]
    unknown: list[str]
    refusal: str | None = None
    encrypted: bool = False
    unfinished: bool = False
    server: str | None = None
    extensible: bool = True
