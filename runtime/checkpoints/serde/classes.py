"""Which classes a checkpoint may name.

A checkpoint names classes of the user's own, which nobody can list before. So the rule is one of kinds: a name stands
for a class that is made to hold data, and for nothing else. Whatever else a manipulated database names is not called.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import importlib
import ipaddress
import pathlib
import re
import uuid
from collections import deque
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from langgraph.store.base import Item
from langgraph.types import Send

_BASES: Final = (
    enum.Enum,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.tzinfo,
    uuid.UUID,
    Decimal,
    pathlib.PurePath,
    ipaddress._IPAddressBase,
    set,
    frozenset,
    deque,
    Send,
    Item,
)
_HOLDERS: Final = ("model_dump", "get_secret_value", "dict", "_asdict")
"""Methods of classes that give their data away: pydantic's models and secrets, named tuples, and what imitates them."""


@lru_cache(maxsize=4096)
def find_class(module: str, qualname: str) -> Any:
    """What the name stands for; None when there is no such thing (any more)."""
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception:  # noqa: BLE001 - a module of the user's may raise anything when it is imported
        return None
    return found


@lru_cache(maxsize=4096)
def data_class(module: str, qualname: str) -> Any:
    """The class of that name, if it is made to hold data; `re.compile` counts as one. None otherwise."""
    found = find_class(module, qualname)
    if found is re.compile:
        return found
    if not isinstance(found, type):
        return None
    holds = dataclasses.is_dataclass(found) or issubclass(found, _BASES)
    return found if holds or any(callable(getattr(found, name, None)) for name in _HOLDERS) else None


def exception_class(module: str, qualname: str) -> type[BaseException] | None:
    """The exception of that name; None when there is none."""
    found = find_class(module, qualname)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None
