"""What a backend's connection is to those who need statements of it and do not care which backend it is."""

from __future__ import annotations

from typing import Any, Protocol


class Answer(Protocol):
    """rowcount: how many rows a statement has changed."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Statements(Protocol):
    """A transaction in which statements are executed. Their text comes from the backend, by name."""

    def execute(self, statement: str, parameters: Any, /) -> Answer: ...
