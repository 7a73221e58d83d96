"""The serializer of checkpoints: LangGraph's, for more types."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from runyard.runtime.checkpoints.serde.forms import UnsavableValue
from runyard.runtime.checkpoints.serde.packing import pack
from runyard.runtime.checkpoints.serde.unpacking import Unpacker
from runyard.runtime.config.project import SerdeSection


class StateSerializer(JsonPlusSerializer):
    """Keeps what states hold in the wild, and reads what LangGraph's own serializer has written; with pickles only
    where a project asks for them.

    `LANGGRAPH_STRICT_MSGPACK` holds as it does with LangGraph: then only classes are made again that the graph's own
    annotations name. See `state_serializer` for what projects say.
    """

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Raises UnsavableValue for a value of a type that checkpoints do not hold, or what the value's own code
        raises."""
        if obj is None:
            return "null", b""
        if type(obj) is bytes:
            return "bytes", obj
        if isinstance(obj, bytearray):
            return "bytearray", bytes(obj)
        try:
            return "msgpack", pack(obj)
        except UnsavableValue:
            if not self.pickle_fallback:
                raise
            with contextlib.suppress(Exception):  # the code of what is pickled may raise anything
                return "pickle", pickle.dumps(obj)
            raise

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, packed = data
        if kind == "msgpack":
            return self._unpacker().unpack(packed)
        return super().loads_typed(data)

    def _unpacker(self) -> Unpacker:
        # LangGraph copies a serializer to give it other allowed classes.
        allowed = getattr(self, "_allowed_msgpack_modules", True)
        known: tuple[Any, Unpacker] | None = getattr(self, "_known_unpacker", None)
        if known is None or known[0] is not allowed:
            known = (allowed, Unpacker(allowed))
            self._known_unpacker = known
        return known[1]


def state_serializer(serde: SerdeSection) -> StateSerializer:
    """As a project asks for it."""
    serializer = StateSerializer(pickle_fallback=serde.pickles)
    # Not handed to the constructor: earlier versions of LangGraph do not take these there.
    if serde.classes is not None:
        serializer._allowed_msgpack_modules = {*serde.classes} or None
    if serde.json_classes:
        serializer._allowed_json_modules = serde.json_classes if serde.json_classes is True else {*serde.json_classes}
    return serializer
