"""Packs what a state may hold. Nothing is pickled: each type has a form of its own, and what has none is refused.

The forms of LangGraph's own serializer are kept where it has one; see `forms`.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import ipaddress
import pathlib
import re
import threading
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import ormsgpack
from langgraph.store.base import Item
from langgraph.types import Send

from runyard.runtime.checkpoints.serde.classes import find_class
from runyard.runtime.checkpoints.serde.exceptions import exception_form
from runyard.runtime.checkpoints.serde.forms import (
    DELTA,
    KW_ARGS,
    METHOD,
    OPTIONS,
    POS_ARGS,
    PYDANTIC_V1,
    PYDANTIC_V2,
    SINGLE_ARG,
    VALUE,
    DeltaSnapshot,
    UnsavableValue,
    type_name,
)
from runyard.runtime.checkpoints.serde.numpy_values import array_form, numpy_form
from runyard.runtime.checkpoints.serde.pandas_values import pandas_form
from runyard.runtime.graphs.user_errors import error_repr

_ADDRESSES = (
    ipaddress.IPv4Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Address,
    ipaddress.IPv6Interface,
    ipaddress.IPv6Network,
)


_failure: Final = threading.local()
"""What the code that gives a form has raised: msgpack's writer hides it."""


def pack(value: Any) -> bytes:
    """`value` as msgpack. Raises UnsavableValue for what has no form, or what its own code raises."""
    try:
        return ormsgpack.packb(value, default=_form, option=OPTIONS)
    except TypeError as error:
        _raise_failure()
        message = str(error)
    try:
        if "Recursion" not in message:  # so there may be an integer of more than 64 bits
            return ormsgpack.packb(_with_forms_of_integers(value), default=_form, option=OPTIONS)
    except TypeError as error:
        _raise_failure()
        message = str(error)
    except RecursionError:
        message = "nested too deeply, or in itself"
    raise UnsavableValue(f"{type_name(type(value))} ({message})")


def _raise_failure() -> None:
    error: Exception | None = getattr(_failure, "error", None)
    if error is not None:
        _failure.error = None
        raise error from None


def _with_forms_of_integers(value: Any) -> Any:
    """The same value; integers that msgpack's writer does not take have a form. It is not nested deeply."""
    if isinstance(value, dict):
        return {key: _with_forms_of_integers(item) for key, item in value.items()}
    if isinstance(value, list) or type(value) is tuple:
        return [_with_forms_of_integers(item) for item in value]
    if isinstance(value, int) and not isinstance(value, enum.Enum) and not -(2**63) <= value < 2**64:
        return ormsgpack.Ext(VALUE, ormsgpack.packb(("int", hex(value))))
    return value


def _form(value: Any) -> Any:
    """The form of a value that msgpack's writer does not know."""
    try:
        return _form_of(value)
    except Exception as error:
        _failure.error = error
        raise


def _form_of(value: Any) -> Any:
    cls = type(value)
    if DeltaSnapshot is not None and isinstance(value, DeltaSnapshot):
        return ormsgpack.Ext(DELTA, pack(value.value))
    if callable(getattr(cls, "model_dump", None)):
        return _object(PYDANTIC_V2, cls, value.model_dump(), "model_validate_json")
    if isinstance(value, type):
        return _class_reference(value)
    library = _library_form(cls)  # type: ignore[arg-type] # classes are hashable
    if library is not None:
        return library(value)
    if callable(getattr(cls, "get_secret_value", None)):
        return _object(SINGLE_ARG, cls, value.get_secret_value())
    if callable(getattr(cls, "dict", None)):
        return _object(PYDANTIC_V1, cls, value.dict())
    if callable(getattr(cls, "_asdict", None)):
        return _object(KW_ARGS, cls, value._asdict())
    for kind, give in _FORMS:
        if isinstance(value, kind):
            return give(cls, value)
    if dataclasses.is_dataclass(value):
        # Defaults that only the class has are not the object's own.
        own = getattr(value, "__dict__", None)
        names = [field.name for field in dataclasses.fields(value) if field.init or own is None or field.name in own]
        return _object(KW_ARGS, cls, {name: getattr(value, name) for name in names})
    if isinstance(value, BaseException):
        form = exception_form(value)
        return error_repr(value) if form is None else _value("exception", form)
    raise UnsavableValue(type_name(cls))


def _object(code: int, cls: type, *parts: Any) -> ormsgpack.Ext:
    return ormsgpack.Ext(code, pack((cls.__module__, cls.__qualname__, *parts)))


def _value(form: str, parts: Any) -> ormsgpack.Ext:
    return ormsgpack.Ext(VALUE, pack((form, parts)))


def _class_reference(cls: type) -> ormsgpack.Ext:
    if find_class(cls.__module__, cls.__qualname__) is not cls:
        raise UnsavableValue(f"the class {type_name(cls)}, which cannot be found by its name")
    return _value("class", (cls.__module__, cls.__qualname__))


@lru_cache(maxsize=512)
def _library_form(cls: type) -> Callable[[Any], Any] | None:
    """For values of libraries that need not be there."""
    for base in cls.__mro__:
        library = base.__module__.partition(".")[0]
        if library == "numpy" and base.__name__ == "ndarray":
            return lambda value: array_form(value, _value, pack)
        if library == "numpy" and base.__name__ == "generic":
            return lambda value: _value("numpy", numpy_form(value))
        if library == "pandas":
            return lambda value: _value(*pandas_form(value))
    return None


def _datetime(cls: type, value: datetime.datetime) -> ormsgpack.Ext:
    zone = value.tzinfo
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key is not None:
        return _value(
            "datetime", (cls.__module__, cls.__qualname__, value.replace(tzinfo=None).isoformat(), zone.key, value.fold)
        )
    return _object(METHOD, cls, value.isoformat(), "fromisoformat")


def _time(cls: type, value: datetime.time) -> ormsgpack.Ext:
    names = ("hour", "minute", "second", "microsecond", "tzinfo", "fold")
    return _object(KW_ARGS, cls, {name: getattr(value, name) for name in names})


def _send(cls: type, value: Send) -> ormsgpack.Ext:
    timeout = getattr(value, "timeout", None)
    return _object(POS_ARGS, cls, (value.node, value.arg) if timeout is None else (value.node, value.arg, timeout))


def _deque(cls: type, value: deque[Any]) -> ormsgpack.Ext:
    if value.maxlen is not None:
        return _value("deque", (cls.__module__, cls.__qualname__, [*value], value.maxlen))
    return _object(SINGLE_ARG, cls, tuple(value))


_FORMS: Final[list[tuple[Any, Callable[[type, Any], Any]]]] = [
    (pathlib.PurePath, lambda cls, value: _object(POS_ARGS, cls, value.parts)),
    (
        re.Pattern,
        lambda _, value: ormsgpack.Ext(POS_ARGS, pack(("re", "compile", (value.pattern, value.flags)))),
    ),
    (uuid.UUID, lambda cls, value: _object(SINGLE_ARG, cls, value.hex)),
    (Decimal, lambda cls, value: _object(SINGLE_ARG, cls, str(value))),
    (set | frozenset, lambda cls, value: _object(SINGLE_ARG, cls, tuple(value))),
    (deque, _deque),
    (_ADDRESSES, lambda cls, value: _object(SINGLE_ARG, cls, str(value))),
    (datetime.datetime, _datetime),
    (
        datetime.timedelta,
        lambda cls, value: _object(POS_ARGS, cls, (value.days, value.seconds, value.microseconds)),
    ),
    (datetime.date, lambda cls, value: _object(POS_ARGS, cls, (value.year, value.month, value.day))),
    (datetime.time, _time),
    (datetime.timezone, lambda cls, value: _object(POS_ARGS, cls, value.__getinitargs__())),
    (zoneinfo.ZoneInfo, lambda cls, value: _object(SINGLE_ARG, cls, value.key)),
    (enum.Enum, lambda cls, value: _object(SINGLE_ARG, cls, value.value)),
    (Send, _send),
    (Item, lambda cls, value: _object(KW_ARGS, cls, {name: getattr(value, name) for name in value.__slots__})),
    (Fraction, lambda _, value: _value("fraction", (value.numerator, value.denominator))),
    (complex, lambda _, value: _value("complex", (value.real, value.imag))),
    (range, lambda _, value: _value("range", (value.start, value.stop, value.step))),
]
"""In the order in which they are tried: a datetime is a date too."""
