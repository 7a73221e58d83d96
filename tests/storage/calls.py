"""Calls of storage that are made in another process, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast

from runyard.runtime.errors import LeaseLost, RunyardError
from runyard.runtime.storage.port.storage import Storage

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call whose result is a T. `path` leads from storage to the operation, as in "queue.claim"."""

    path: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class _Path:
    """Stands in for storage, to note which operation is taken from it."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __getattr__(self, name: str) -> _Path:
        return _Path(*self._names, name)

    def __str__(self) -> str:
        return ".".join(self._names)


def call(
    operation: Callable[[Storage], Callable[P, Coroutine[Any, Any, T]]], /, *arguments: P.args, **keywords: P.kwargs
) -> Call[T]:
    """A call of an operation, as in `call(lambda storage: storage.queue.claim, "worker", limit=1, interactive=1)`."""
    return Call(str(operation(cast(Storage, _Path()))), arguments, keywords)


@dataclass(frozen=True)
class Done(Generic[T]):
    result: T


@dataclass(frozen=True)
class Raised:
    error: type[RunyardError]
    detail: str


Outcome = Done[T] | Raised


def done(outcome: Outcome[T]) -> T:
    """The result of a call that must have gone through."""
    assert isinstance(outcome, Done), outcome
    return outcome.result


def raised(outcome: Outcome[T], error: type[RunyardError]) -> bool:
    """Whether the call was refused for that reason."""
    return isinstance(outcome, Raised) and outcome.error is error


def lost(outcome: Outcome[T]) -> bool:
    """Whether the call was refused because its lease no longer held."""
    return raised(outcome, LeaseLost)
