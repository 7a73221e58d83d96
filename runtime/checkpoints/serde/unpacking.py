"""Unpacks what `packing` and LangGraph's own serializer have packed.

A form that names a class stands for it only if it is made to hold data (see `classes`). What cannot be made again,
since its class is gone or does not take its data any more, becomes the data that it was made from, as with LangGraph.
"""

from __future__ import annotations

import datetime
import logging
import re
import zoneinfo
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import ormsgpack
from langgraph.checkpoint.serde import jsonplus

from runyard.runtime.checkpoints.serde import pandas_values
from runyard.runtime.checkpoints.serde.classes import data_class, find_class
from runyard.runtime.checkpoints.serde.exceptions import made_exception
from runyard.runtime.checkpoints.serde.forms import (
    DELTA,
    KW_ARGS,
    METHOD,
    NUMPY_ARRAY,
    POS_ARGS,
    PYDANTIC_V1,
    PYDANTIC_V2,
    SINGLE_ARG,
    VALUE,
    DeltaSnapshot,
)
from runyard.runtime.checkpoints.serde.numpy_values import made_array, made_numbers, made_objects, made_scalar

logger = logging.getLogger(__name__)

_SAFE: Final[frozenset[tuple[str, ...]]] = getattr(
    getattr(jsonplus, "_lg_msgpack", None), "SAFE_MSGPACK_TYPES", frozenset()
)
_OPTIONS: Final = ormsgpack.OPT_NON_STR_KEYS


class Unpacker:
    """`allowed`: LangGraph's list of classes that may be made; True for all that are made to hold data."""

    def __init__(self, allowed: set[tuple[str, ...]] | bool | None) -> None:
        self._allowed = allowed
        self._reported: set[tuple[str, str]] = set()

    def unpack(self, data: bytes) -> Any:
        """The value that was packed."""
        return ormsgpack.unpackb(data, ext_hook=self._made, option=_OPTIONS)

    def _made(self, code: int, data: bytes) -> Any:
        value = self.unpack(data)
        if code == VALUE:
            return self._value(*value)
        if code == DELTA:
            return DeltaSnapshot(value)
        if code == NUMPY_ARRAY:
            return made_numbers(*value)
        module, name, parts = value[:3]
        cls = self._class(module, name)
        if cls is None:
            return parts
        try:
            return _OBJECTS[code](cls, parts)
        except Exception as error:  # noqa: BLE001 - a class of the user's may refuse its own data
            self._report(module, name, f"cannot be made from its data any more ({type(error).__name__})")
            return parts

    def _value(self, form: str, parts: Any) -> Any:
        try:
            return _MADE[form](parts)
        except Exception as error:  # noqa: BLE001 - a library is not there any more, or has changed
            self._report("a value", form, f"cannot be made from its data any more ({type(error).__name__})")
            return parts

    def _class(self, module: str, name: str) -> Any:
        if self._allowed is not True and (module, name) not in _SAFE and (module, name) not in (self._allowed or ()):
            self._report(module, name, "is not among the classes that may be made again")
            return None
        cls = data_class(module, name)
        if cls is None:
            self._report(module, name, "is not a class that holds data, or not there any more")
        return cls

    def _report(self, module: str, name: str, why: str) -> None:
        if (module, name) not in self._reported and len(self._reported) < 1000:
            self._reported.add((module, name))
            logger.warning("a checkpoint names %s.%s, which %s; its data is used instead", module, name, why)


def _with_one(cls: Any, part: Any) -> Any:
    try:
        return cls(part)
    except (TypeError, ValueError):
        # msgpack has no tuples: what was one is a list by now, which no set takes and no enumeration knows.
        if not isinstance(part, list):
            raise
    return cls(tuple(part)) if not issubclass(cls, set | frozenset) else cls(_hashable(item) for item in part)


def _hashable(item: Any) -> Any:
    return tuple(_hashable(each) for each in item) if isinstance(item, list) else item


def _with_keywords(cls: Any, parts: dict[str, Any]) -> Any:
    try:
        return cls(**parts)
    except TypeError:
        fields = getattr(cls, "__dataclass_fields__", None)
        if fields is None:
            raise
    made = cls(**{name: value for name, value in parts.items() if fields[name].init})
    for name, value in parts.items():
        if not fields[name].init:
            object.__setattr__(made, name, value)
    return made


def _with_method(cls: Any, text: str) -> Any:
    # The one method that is ever named; for subclasses of datetime too.
    return cls.fromisoformat(text) if issubclass(cls, datetime.datetime) else text


def _model(cls: Any, parts: dict[str, Any]) -> Any:
    try:
        return cls(**parts)
    except Exception:  # noqa: BLE001 - a model's validators are user code; LangGraph takes it unvalidated then too
        return (cls.model_construct if hasattr(cls, "model_construct") else cls.construct)(**parts)


def _made_datetime(module: str, name: str, text: str, zone: str, fold: int) -> Any:
    cls = data_class(module, name)
    found = cls.fromisoformat(text) if cls is not None else datetime.datetime.fromisoformat(text)
    return found.replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=fold)


def _made_deque(module: str, name: str, items: list[Any], maxlen: int) -> Any:
    cls = data_class(module, name)
    return (cls if cls is not None and issubclass(cls, deque) else deque)(items, maxlen)


_OBJECTS: Final[dict[int, Callable[[Any, Any], Any]]] = {
    SINGLE_ARG: _with_one,
    POS_ARGS: lambda cls, parts: re.compile(*parts) if cls is re.compile else cls(*parts),
    KW_ARGS: _with_keywords,
    METHOD: _with_method,
    PYDANTIC_V1: _model,
    PYDANTIC_V2: _model,
}
_MADE: Final[dict[str, Callable[[Any], Any]]] = {
    "int": lambda text: int(text, 16),
    "fraction": lambda parts: Fraction(*parts),
    "complex": lambda parts: complex(*parts),
    "range": lambda parts: range(*parts),
    "class": lambda parts: find_class(*parts),
    "datetime": lambda parts: _made_datetime(*parts),
    "deque": lambda parts: _made_deque(*parts),
    "exception": lambda parts: made_exception(*parts),
    "numpy": lambda parts: made_scalar(*parts),
    "array": lambda parts: made_array(*parts),
    "objects": lambda parts: made_objects(*parts),
    "pandas missing": pandas_values.made_missing,
    "timestamp": lambda parts: pandas_values.made_timestamp(*parts),
    "timedelta": lambda parts: pandas_values.made_timedelta(*parts),
    "series": lambda parts: pandas_values.made_series(*parts),
    "frame": lambda parts: pandas_values.made_frame(*parts),
    "index": lambda parts: pandas_values.made_index(*parts),
    "range index": lambda parts: pandas_values.made_range_index(*parts),
    "multi index": lambda parts: pandas_values.made_multi_index(*parts),
    "column": lambda parts: pandas_values.made_column(*parts),
}
"""The forms that are ours. Each makes one type; none calls what a checkpoint names."""
