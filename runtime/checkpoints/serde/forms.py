"""How values stand in a checkpoint beyond what msgpack has: extension codes, and the errors about both directions."""

from __future__ import annotations

from typing import Any, Final

import ormsgpack
from langgraph.checkpoint.serde import types

# Those of LangGraph's own serializer, which wrote all checkpoints of earlier versions. Its readers know them.
SINGLE_ARG: Final = 0
POS_ARGS: Final = 1
KW_ARGS: Final = 2
METHOD: Final = 3
PYDANTIC_V1: Final = 4
PYDANTIC_V2: Final = 5
NUMPY_ARRAY: Final = 6
DELTA: Final = 7
# Our own.
VALUE: Final = 32
"""(form, what it is made from): see `unpacking` for the forms."""

OPTIONS: Final = (
    ormsgpack.OPT_NON_STR_KEYS
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_UUID
    | getattr(ormsgpack, "OPT_REPLACE_SURROGATES", 0)
)

DeltaSnapshot: Final[Any] = getattr(types, "_DeltaSnapshot", None)
"""LangGraph's mark around the whole value of a delta channel; older versions have none."""


class UnsavableValue(TypeError):
    """A value of a type that checkpoints do not hold. The text names the type."""


def type_name(cls: type) -> str:
    """The full name of a class, for people."""
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"
