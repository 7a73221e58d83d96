"""Exceptions in a state: kept with class and arguments where these make up the whole exception."""

from __future__ import annotations

from typing import Any

from runyard.runtime.checkpoints.serde.classes import exception_class


def exception_form(error: BaseException) -> tuple[str, str, list[Any]] | None:
    """What to make the exception from; None when its class does more than to keep its arguments, or cannot be found
    by its name. Then its text is all that can be kept."""
    cls = type(error)
    try:
        again = made_exception(cls.__module__, cls.__qualname__, list(error.args))
        same = type(again) is cls and (repr(again), str(again)) == (repr(error), str(error))
    except Exception:  # noqa: BLE001 - an exception's text is user code
        return None
    return (cls.__module__, cls.__qualname__, list(error.args)) if same else None


def made_exception(module: str, qualname: str, args: list[Any]) -> BaseException | None:
    """The exception, made without its class's `__init__`; None when there is no such class (any more)."""
    cls = exception_class(module, qualname)
    if cls is None:
        return None
    error = cls.__new__(cls, *args)
    error.args = tuple(args)
    return error
