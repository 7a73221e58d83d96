"""Whatever a graph puts into its state, as JSON that every client can read.

The common case is one call of orjson. What orjson refuses (integers beyond 64 bits, deep nesting, cycles,
lone surrogates) goes through a slower writer of our own, so that `to_json` never raises. A type has one form wherever
it stands: in a pydantic model or outside, in streams, answers, threads and states.

| value | JSON |
|---|---|
| message, pydantic model, dataclass, named tuple | object of its fields |
| `Interrupt`, `Command` | object of its fields; `Send`: `{"node", "args"}` |
| exception | `{"error": class, "message": text}` |
| set, tuple, deque | array |
| Decimal, Fraction, numpy scalar | number; NaN and infinities are null |
| numpy array, pandas series or index | array; data frame: `{column: {label: item}}` |
| bytes | base64 text |
| date, time, their subclasses, numpy's and pandas' times | ISO 8601 text; timedelta: seconds; what is no time: null |
| path, address, pattern, UUID, time zone, complex | text; a secret: asterisks |
| range | array; text when it is longer than a hundred thousand |
| anything else (classes, functions, clients, ...) | null: nothing of it can be meant for a client |
"""

from __future__ import annotations

import base64
import datetime
import enum
import ipaddress
import math
import pathlib
import re
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson
from langchain_core.messages import BaseMessage
from langgraph.types import Send
from pydantic import BaseModel

from runyard.runtime.graphs.library_values import model_fields, numpy_times
from runyard.runtime.graphs.user_errors import describe_error

# Objects that give ever new objects have no end of their own.
_MAX_DEPTH = 100_000
_TEXT = (pathlib.PurePath, ipaddress._IPAddressBase, uuid.UUID, datetime.tzinfo, complex)
_LONGEST_RANGE = 100_000
_SECRET = "**********"


def to_json(value: Any) -> bytes:
    """`value` as compact JSON. Never raises."""
    try:
        return orjson.dumps(value, default=_default)
    except Exception:  # noqa: BLE001 - user objects run code of their own while they are encoded
        return _to_json_slowly(value)


def _to_json_slowly(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_default, option=orjson.OPT_NON_STR_KEYS)
    except Exception:  # noqa: BLE001 - as above
        return "".join(_write(value)).encode()


def _default(value: Any) -> Any:
    """What orjson cannot do itself, one level at a time."""
    if isinstance(value, BaseMessage):
        return value.model_dump()
    if isinstance(value, BaseModel):
        return model_fields(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat() if value == value else None  # pandas' NaT is not equal to itself
    if isinstance(value, BaseException):
        return describe_error(value)
    if isinstance(value, Send):
        return {"node": value.node, "args": value.arg}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, Set | deque | tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | Fraction):
        return _number(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, _TEXT):
        return str(value)
    if isinstance(value, re.Pattern):
        return value.pattern
    if isinstance(value, range):
        return list(value) if len(value) <= _LONGEST_RANGE else str(value)
    return _of_library(value)


def _of_library(value: Any) -> Any:
    """Values of libraries that need not be there, by what they offer. Looked up on the class: the attributes of a data
    frame are its columns."""
    if isinstance(value, type):
        return None
    cls = type(value)
    library = cls.__module__.partition(".")[0]
    if library == "numpy" and getattr(getattr(value, "dtype", None), "kind", "") in "Mm":
        return numpy_times(value)
    if callable(getattr(cls, "get_secret_value", None)):
        return _SECRET if value.get_secret_value() else ""
    if library in ("pydantic", "pydantic_core"):
        return str(value)  # its kinds of URL
    for name in ("tolist", "to_dict"):
        if callable(getattr(cls, name, None)):
            return getattr(value, name)()
    if hasattr(cls, "__fields__") and callable(getattr(cls, "dict", None)):
        return value.dict()  # a model of pydantic 1
    return None


def _number(value: Decimal | Fraction) -> int | float | None:
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return int(value) if value == int(value) else float(value)


def _write(root: Any) -> Iterator[str]:
    """JSON text piece by piece, with a stack of its own: (almost) any depth; a cycle ends in null."""
    open_ids: set[int] = set()
    stack: list[tuple[Iterator[Any], str, int]] = []
    value = root
    while True:
        items, opening, closing = _container(value)
        if items is None:
            yield _scalar(value)
        elif id(value) in open_ids or len(stack) == _MAX_DEPTH:
            yield "null"
        else:
            open_ids.add(id(value))
            stack.append((items, closing, id(value)))
            yield opening
        while stack:
            items, closing, identity = stack[-1]
            try:
                prefix, value = next(items)
            except StopIteration:
                stack.pop()
                open_ids.discard(identity)
                yield closing
                continue
            yield prefix
            break
        else:
            return


def _container(value: Any) -> tuple[Iterator[tuple[str, Any]] | None, str, str]:
    value = _plain(value)
    if isinstance(value, dict):
        return _members(value), "{", "}"
    if isinstance(value, list):
        return _elements(value), "[", "]"
    return None, "", ""


def _members(value: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    for index, (key, item) in enumerate(value.items()):
        yield f"{',' if index else ''}{_string(_key(key))}:", item


def _elements(value: list[Any]) -> Iterator[tuple[str, Any]]:
    for index, item in enumerate(value):
        yield "," if index else "", item


def _plain(value: Any) -> Any:
    """One level of `value` as exactly dict or list, or as a scalar."""
    try:
        for _ in range(8):  # `_default` may give something that needs it again, a broken one without end
            if value is None or isinstance(value, str | bool | int | float):
                return value
            if isinstance(value, dict):
                return dict(value)
            if isinstance(value, list) or type(value) is tuple:
                return list(value)
            value = _level(value)
    except Exception:  # noqa: BLE001 - the object's own code fails: nothing of it can be shown
        return None
    return None


def _level(value: Any) -> Any:
    """What orjson does by itself for more than the plain types, and `_default`."""
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return {name: getattr(value, name, None) for name in fields if not name.startswith("_")}
    return _default(value)


def _scalar(value: Any) -> str:
    value = _plain(value)
    if value is None or value is True or value is False:
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else "null"
    return _integer(int(value)) if isinstance(value, int) else "null"


def _integer(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python refuses to print more than some thousand digits in quadratic time
        return _string(hex(value))


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, tuple):
        return ",".join(_key(part) for part in key)
    return _scalar(key).strip('"')


def _string(value: str) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # UTF-8 has no surrogates: pairs are joined, lone ones become "?".
        joined = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return orjson.dumps(joined.encode(errors="replace").decode()).decode()
